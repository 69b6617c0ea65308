"""How long one may stay: until the token ends, or the user may not listen any more."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from rest_framework_simplejwt.tokens import AccessToken

from realtime.tests.conftest import in_database, until


async def is_shown_out(socket, within=5):
    """The error, then the close: the contract's 5 seconds are the time-out here."""
    message = await socket.next(within)
    assert (message["type"], message["code"]) == ("error", "AUTHENTICATION_FAILED")
    await socket.connection.wait_closed()
    assert socket.connection.close_code == 4401
    return True


async def test_a_token_that_expires_ends_the_connection_at_once(site, talk, fresh_token, monkeypatch):
    monkeypatch.setattr("realtime.hub.SWEEP_SECONDS", (3600, 3600))  # the clock of the token, not the sweep
    end = time.time() + 1.5
    async with site.socket(fresh_token(exp=end)) as socket:
        await socket.subscribe(talk.call.call_sid)
        assert await is_shown_out(socket)
        assert time.time() >= end


async def test_a_newer_token_extends_the_connection_and_is_answered_only_when_it_is_bad(site, token, fresh_token):
    async with site.socket(fresh_token(exp=time.time() + 1)) as socket:
        await socket.send(authenticate=token)
        assert await socket.hears_nothing(2)
        await socket.send(ping="still here")
        assert await socket.next() == {"type": "pong", "ping": "still here"}


async def test_an_extension_ends_with_its_own_token(site, fresh_token):
    async with site.socket(fresh_token()) as socket:
        await socket.send(authenticate=fresh_token(exp=time.time() + 1))
        assert await is_shown_out(socket)


@pytest.mark.parametrize("bad", ["", "a.b.c", None, 7, ["x"], "\ud800"])
async def test_authenticating_with_what_is_no_token_ends_the_connection(site, token, bad):
    async with site.socket(token) as socket:
        await socket.send(authenticate=bad)
        assert await is_shown_out(socket)


async def test_the_token_of_another_user_ends_the_connection(site, token):
    other = await in_database(get_user_model().objects.create_superuser)("other", password="other")
    async with site.socket(token) as socket:
        await socket.send(authenticate=str(AccessToken.for_user(other)))
        assert await is_shown_out(socket)


async def test_a_user_who_is_deactivated_is_shown_out(site, dispatcher, token):
    async with site.socket(token) as socket:
        dispatcher.is_active = False
        await in_database(dispatcher.save)()
        assert await is_shown_out(socket)


async def test_a_user_who_loses_the_permission_is_shown_out_and_nobody_else(site, dispatcher, token):
    other = await in_database(get_user_model().objects.create_superuser)("other", password="other")
    async with site.socket(token) as socket, site.socket(str(AccessToken.for_user(other))) as others:
        await in_database(dispatcher.user_permissions.clear)()
        assert await is_shown_out(socket)
        await others.send(ping=1)
        assert (await others.next())["type"] == "pong"


async def test_a_user_who_leaves_the_group_that_gave_the_permission_is_shown_out(site, dispatcher, token):
    def move_into_group():
        group = Group.objects.create(name="dispatchers")
        group.permissions.add(Permission.objects.get(codename="view_call"))
        dispatcher.groups.add(group)
        dispatcher.user_permissions.clear()

    await in_database(move_into_group)()
    async with site.socket(token) as socket:
        assert await socket.hears_nothing(2.5)  # a sweep has passed: the group is enough
        await in_database(dispatcher.groups.clear)()
        assert await is_shown_out(socket)


async def test_a_deleted_user_is_shown_out(site, dispatcher, token):
    async with site.socket(token) as socket:
        await in_database(dispatcher.delete)()
        assert await is_shown_out(socket)


async def test_nothing_is_heard_after_being_shown_out(site, talk, dispatcher, token, hub):
    async with site.socket(token) as socket:
        await socket.subscribe(talk.call.call_sid)
        dispatcher.is_active = False
        await in_database(dispatcher.save)()
        assert await is_shown_out(socket)
        await until(lambda: not hub.listeners)
        assert not hub.topics
