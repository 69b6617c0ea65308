"""Webhook routes, each with and without a trailing slash: a redirect would lose the POST."""

from __future__ import annotations

from django.urls import re_path

from webhooks import views

urlpatterns = [
    re_path(r"^webhooks/elevenlabs/post-call/?$", views.PostCall.as_view(), name="post-call"),
    re_path(r"^webhooks/elevenlabs/transcription/?$", views.LiveTurn.as_view(), name="transcription"),
    re_path(r"^webhooks/elevenlabs/conversation-init/?$", views.ConversationInit.as_view(), name="conversation-init"),
]
