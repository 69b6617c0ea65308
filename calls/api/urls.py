from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny, IsAuthenticated

from calls.api.cross_origin import readable_from_other_sites
from calls.api.ending import MayEndCalls
from calls.api.parts import part_or_call
from calls.api.schema import SchemaView
from calls.api.tokens import TokenRefreshView, TokenRevokeView, TokenView
from calls.api.views import CallViewSet

call = CallViewSet.as_view({"get": "retrieve", "patch": "partial_update"})
transcript = part_or_call("transcript", CallViewSet.as_view({"get": "transcript"}), call)
recording = part_or_call("recording", CallViewSet.as_view({"get": "recording"}), call)
end = part_or_call("end", CallViewSet.as_view({"post": "end"}, permission_classes=[IsAuthenticated, MayEndCalls]), call)

urlpatterns = [
    # the browser client asks this route whether the socket refused its user
    path("calls/", readable_from_other_sites(CallViewSet.as_view({"get": "list", "post": "create"})), name="call-list"),
    # an identifier may have slashes, so the routes of its parts come before its own
    path("calls/<path:identifier>/transcript/", transcript, name="call-transcript"),
    path("calls/<path:identifier>/recording/", recording, name="call-recording"),
    path("calls/<path:identifier>/end/", end, name="call-end"),
    path("calls/<path:identifier>/", call, name="call-detail"),
    path("token/", TokenView.as_view(), name="token"),
    path("token/refresh/", TokenRefreshView.as_view(), name="token-refresh"),
    path("token/blacklist/", TokenRevokeView.as_view(), name="token-revoke"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(
            permission_classes=[AllowAny],
            template_name="calls/api_docs.html",
            http_method_names=["get", "head"],  # other methods get 405
        ),
        name="docs",
    ),
]
