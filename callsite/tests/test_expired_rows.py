"""Expired sessions and tokens leave their tables by themselves, and the database holds no token that is good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from callsite import expired_rows


@pytest.fixture(autouse=True)
def twenty_at_once(monkeypatch):
    monkeypatch.setattr(expired_rows, "AT_ONCE", 20)


def test_expired_sessions_go_some_with_each_sign_in(client, dispatcher):
    now = timezone.now()
    Session.objects.bulk_create(Session(session_key=f"old-{n}", expire_date=now) for n in range(30))
    Session.objects.create(session_key="young", expire_date=now + timedelta(hours=1))
    left = []
    for _ in range(3):
        client.cookies.clear()
        assert client.post("/login/", {"username": dispatcher.username, "password": "dispatcher"}).status_code == 302
        left.append(Session.objects.count())
    assert left == [12, 3, 4]


def test_expired_tokens_go_some_with_each_new_one(dispatcher):
    OutstandingToken.objects.bulk_create(
        OutstandingToken(jti=f"old-{n}", user=dispatcher, expires_at=timezone.now()) for n in range(30)
    )
    BlacklistedToken.objects.create(token=OutstandingToken.objects.order_by("pk").first())
    left = []
    for _ in range(3):
        RefreshToken.for_user(dispatcher)
        left.append((OutstandingToken.objects.count(), BlacklistedToken.objects.count()))
    assert left == [(11, 0), (2, 0), (3, 0)]


def test_the_database_holds_no_refresh_token(site, dispatcher):
    login = {"username": dispatcher.username, "password": "dispatcher"}
    tokens = site.client.post("/api/token/", json=login).json()
    site.client.post("/api/token/refresh/", json={"refresh": tokens["refresh"]})
    assert list(OutstandingToken.objects.values_list("token", flat=True)) == ["", ""]
