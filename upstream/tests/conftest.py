from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from rest_framework_simplejwt.tokens import AccessToken

from upstream.client import Client


@pytest.fixture
def client(lonely_stub):
    """Return a client of ElevenLabs' API, whose webhooks reach no server."""
    return Client.from_settings()


@pytest.fixture
def may(transactional_db):
    """Return a function that makes a token of a user with these permissions."""

    def token(*codenames, name=""):
        user, _ = get_user_model().objects.get_or_create(username=name or "-".join(codenames))
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return str(AccessToken.for_user(user))

    return token


@pytest.fixture
def allowed(settings):
    """Allow dialling the numbers of the tests."""
    settings.DIAL_ALLOWED_PREFIXES = ["+1555"]
