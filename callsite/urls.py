"""Every HTTP route of callsite."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("webhooks.urls")),
    path("api/", include("upstream.urls")),  # first: an identifier of a call takes any path
    path("api/", include("calls.api.urls")),
    path("", include("realtime.urls")),
    path("", include("callsite.health")),
    path("admin/elevenlabs/", include("upstream.admin_urls")),
    path("admin/", admin.site.urls),
]

handler404 = "callsite.not_found.not_found"
