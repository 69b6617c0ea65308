"""Refresh a token: the checks are those of using one."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import RefreshToken


class TokenRefreshSerializer(serializers.Serializer[Any]):
    """Gives a new access token while the user is active and the password is unchanged since the refresh token."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh = RefreshToken(attrs["refresh"])
        # simplejwt's own serializer ignores the password, and raises DoesNotExist for a deleted user
        JWTAuthentication().get_user(refresh)
        return {"access": str(refresh.access_token)}
