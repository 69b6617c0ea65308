"""Routes that issue tokens for a password, refresh them and revoke them. A refresh checks the user like a request."""

from __future__ import annotations

from typing import Any, cast

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
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
REFRESHED = [
    request("The refresh token", {"refresh": REFRESH}),
    answer("Both tokens, new", {"access": ACCESS, "refresh": REFRESH}),
]
REVOKED = [request("The refresh token", {"refresh": REFRESH}), answer("Nothing", {})]


class TokenSerializer(KnownFields, TokenObtainPairSerializer):
    """An access token, good for 30 minutes, and a refresh token, good for 12 hours."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)


class TokenRefreshSerializer(KnownFields):
    """Gives new tokens while the user is active and the password unchanged. The old refresh token becomes invalid."""

    # simplejwt's own serializer ignores a changed password, raises DoesNotExist for a deleted user, accepts a token
    # twice if both requests come at once, and extends the session by twelve hours each time. Here a session ends twelve
    # hours after the sign-in.

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh = RefreshToken(attrs["refresh"])
        JWTAuthentication().get_user(refresh)
        with transaction.atomic():
            _revoke(refresh)
            refresh.set_jti()
            refresh.set_iat()
            refresh.outstand()
        return {"access": str(refresh.access_token), "refresh": str(refresh)}


class TokenRevokeSerializer(KnownFields):
    """Ends a refresh token. An access token that was issued with it stays valid for up to 30 minutes."""

    refresh = serializers.CharField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        with transaction.atomic():
            _revoke(RefreshToken(attrs["refresh"]))
        return {}


def _revoke(refresh: RefreshToken) -> None:
    """Blacklist a refresh token. Raises TokenError if another request, even a simultaneous one, did so."""
    _, is_first = cast(tuple[Any, bool], refresh.blacklist())  # simplejwt's annotation is wrong
    if not is_first:
        raise TokenError("Token is blacklisted")


@extend_schema(summary="Sign in", examples=SIGNED_IN)
class TokenView(KnownParameters, TokenViewBase):
    """Send the user's name and password; get an access token (30 minutes) and a refresh token (12 hours)."""

    serializer_class = TokenSerializer


@extend_schema(summary="Refresh a token", examples=REFRESHED)
class TokenRefreshView(KnownParameters, TokenViewBase):
    """Send the refresh token; get a new access token and a new refresh token.

    Each refresh token works once: keep the new one. All refresh tokens end 12 hours after the sign-in. A changed
    password or a deactivated user ends all tokens at once.
    """

    serializer_class = TokenRefreshSerializer


@extend_schema(summary="Revoke a token", examples=REVOKED)
class TokenRevokeView(KnownParameters, TokenViewBase):
    """Send a refresh token that is no longer needed, as when a user signs out. It is invalid from then on."""

    serializer_class = TokenRevokeSerializer
