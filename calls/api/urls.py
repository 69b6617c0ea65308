from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny

from calls.api.schema import SchemaView
from calls.api.tokens import TokenRefreshView, TokenView
from calls.api.views import CallViewSet

urlpatterns = [
    path("calls/", CallViewSet.as_view({"get": "list", "post": "create"}), name="call-list"),
    # an identifier may have slashes, so what stands behind one comes first
    path("calls/<path:identifier>/transcript/", CallViewSet.as_view({"get": "transcript"}), name="call-transcript"),
    path("calls/<path:identifier>/recording/", CallViewSet.as_view({"get": "recording"}), name="call-recording"),
    path(
        "calls/<path:identifier>/",
        CallViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="call-detail",
    ),
    path("token/", TokenView.as_view(), name="token"),
    path("token/refresh/", TokenRefreshView.as_view(), name="token-refresh"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(
            permission_classes=[AllowAny],
            template_name="calls/api_docs.html",
            http_method_names=["get", "head"],  # there is no page for others
        ),
        name="docs",
    ),
]
