"""The admin site. It uses the login page of all other pages, and tells users who may not use it what they may do."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse


class Site(AdminSite):
    """An admin site that shows 403.html to signed-in users without access. Django's own shows them a login page."""

    site_header = site_title = "callsite"
    index_title = "Calls and their webhooks"
    index_template = "calls/index.html"
    enable_nav_sidebar = False  # the tables need its space

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        from django.contrib.auth.views import LoginView  # needs the apps

        self._refuse_who_may_not(request)
        return LoginView.as_view(next_page="admin:index", redirect_authenticated_user=True)(request)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        guarded = super().admin_view(view, cacheable)

        def open_page(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            self._refuse_who_may_not(request)
            return guarded(request, *args, **kwargs)

        return update_wrapper(open_page, guarded)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not self.get_app_list(request):
            raise PermissionDenied
        from calls.call_list.queues import queues_for  # needs the apps

        return super().index(request, {**(extra_context or {}), "queues": queues_for(request)})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the apps with `auth` (the accounts) last, as the others are the daily work."""
        return sorted(super().get_app_list(request, app_label), key=lambda app: app["app_label"] == "auth")

    def _refuse_who_may_not(self, request: HttpRequest) -> None:
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied


class Config(AdminConfig):
    default_site = "callsite.admin_site.Site"
