"""The routes of the admin pages that ask ElevenLabs."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from upstream import admin_pages

urlpatterns = [
    path("dial/", admin.site.admin_view(admin_pages.dial), name="elevenlabs-dial"),
    path("doctor/", admin.site.admin_view(admin_pages.doctor), name="elevenlabs-doctor"),
]
