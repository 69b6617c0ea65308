"""Users of the API and of the staff: one for each kind of permission."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from calls.tests.export_cases import exporter, one_call_a_page, someone
from calls.tests.page_cases import address
from conftest import register_call, staff


@pytest.fixture
def call(db):
    """Return a call in progress; the test commits only if it uses `site` or `transactional_db` as well."""
    return register_call()


@pytest.fixture
def api(db):
    """Return a function that makes an API client with these permissions: `api("view_call", "add_call")`."""

    def client(*codenames):
        user = get_user_model().objects.create_user(f"user{'-'.join(codenames)}", password="secret")
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = APIClient()
        client.force_authenticate(user)
        return client

    return client


@pytest.fixture
def reader(api):
    return api("view_call")


@pytest.fixture
def writer(api):
    return api("view_call", "view_callrecording", "add_call", "change_call")


@pytest.fixture
def page(admin_client):
    """Return a function that gets a call's page in the admin."""

    def text(call, filters="", client=admin_client):
        response = client.get(address(call, filters))
        assert response.status_code == 200
        return response.text

    return text


@pytest.fixture
def reviewer(db):
    return staff("view_call", "review_call")


@pytest.fixture
def user(transactional_db):
    """Return Ada, a staff user who may export calls."""
    return someone()


@pytest.fixture
def export(site, user):
    """Return a function that exports calls as Ada."""
    return exporter(site, user)


@pytest.fixture
def pages(monkeypatch):
    """Let an export read one call at a time."""
    one_call_a_page(monkeypatch)
