"""Tokens: got with a password, and refreshed. Refreshing makes the checks of using one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenViewBase

from calls.api.described import answer, request
from calls.api.known_names import KnownFields, KnownParameters

ACCESS = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJhY2Nlc3MifQ.c2ln"
REFRESH = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJyZWZyZXNoIn0.c2ln"
SIGNED_IN = [
    request("A dispatcher", {"username": "dispatcher", "password": "a long password"}),
    answer("Both tokens", {"access": ACCESS, "refresh": REFRESH}),
]
REFRESHED = [request("The refresh token", {"refresh": REFRESH}), answer("A new access token", {"access": ACCESS})]


class TokenSerializer(KnownFields, TokenObtainPairSerializer):
    """An access token, good for 30 minutes, and a refresh token, good for 12 hours."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class TokenRefreshSerializer(KnownFields):
    """Gives a new access token while the user is active and the password is unchanged since the refresh token."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh = RefreshToken(attrs["refresh"])
        # simplejwt's own serializer ignores the password, and raises DoesNotExist for a deleted user
        JWTAuthentication().get_user(refresh)
        return {"access": str(refresh.access_token)}


@extend_schema(summary="Sign in", examples=SIGNED_IN)
class TokenView(KnownParameters, TokenViewBase):
    """Send the user's name and password; get an access token (30 minutes) and a refresh token (12 hours)."""

    serializer_class = TokenSerializer


@extend_schema(summary="Refresh a token", examples=REFRESHED)
class TokenRefreshView(KnownParameters, TokenViewBase):
    """Send the refresh token; get a new access token. A changed password and a deactivated user end both."""

    serializer_class = TokenRefreshSerializer
