"""Refreshing a token, as strict as using one."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import RefreshToken


class TokenRefreshSerializer(serializers.Serializer[Any]):
    """A new access token, while the user is active and has the password that the refresh token was got with."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        refresh = RefreshToken(attrs["refresh"])
        # simplejwt's own serializer does not look at the password, and raises DoesNotExist for a deleted user
        JWTAuthentication().get_user(refresh)
        return {"access": str(refresh.access_token)}
