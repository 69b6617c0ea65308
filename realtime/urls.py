from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import path
from django.views.generic import RedirectView

from realtime import views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="live")),
    path("live/", views.live, name="live"),
    path("live/status/", views.status, name="live-status"),
    path("live/record/<path:call_sid>", views.record, name="live-record"),
    path("favicon.ico", RedirectView.as_view(url=staticfiles_storage.url("realtime/live/icon.svg"))),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(next_page="login"), name="logout"),
]
