"""Five wrong passwords lock a user name at an address, at all three doors, and nobody else."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from callsite import expired_rows
from callsite.sign_in_locks import Lock
from callsite.tests.conftest import PASSWORD
from callsite.tests.doors import DOORS, LIMIT, is_good
from conftest import server_env
from lab.stack.webserver import WebServer


@pytest.mark.parametrize("door", DOORS)
def test_the_sixth_attempt_is_refused_though_its_password_is_good_and_says_when_to_come_back(
    site, visitor, dispatcher, door
):
    ada = visitor(site.url)
    wrong = 401 if door == "/api/token/" else 200
    assert ada.lock(door, dispatcher.username) == [wrong] * LIMIT
    refused = ada.knock(door, dispatcher.username, "dispatcher")
    assert refused.status_code == 429
    assert 890 <= int(refused.headers["Retry-After"]) <= 900
    if door == "/api/token/":
        assert refused.json() == {"detail": "Too many attempts. Try again in 15 minutes."}
    else:
        assert "Too many attempts. Try again in 15 minutes." in refused.text
        assert "do not match" not in refused.text
        assert "default-src 'none'" in refused.headers["Content-Security-Policy"]
    assert "no-store" in refused.headers["Cache-Control"]


@pytest.mark.parametrize("door", DOORS)
def test_a_lock_holds_at_all_doors(site, visitor, dispatcher, door):
    ada = visitor(site.url)
    ada.lock(door, dispatcher.username)
    assert [ada.knock(other, dispatcher.username, "dispatcher").status_code for other in DOORS] == [429] * 3


def test_another_address_and_another_name_are_not_locked(site, visitor, dispatcher, admin_user):
    visitor(site.url).lock("/login/", dispatcher.username)
    assert is_good(visitor(site.url, "127.0.0.2").knock("/login/", dispatcher.username, "dispatcher"))
    assert is_good(visitor(site.url).knock("/login/", admin_user.username, "password"))


def test_a_name_that_nobody_has_is_locked_alike(site, visitor, dispatcher):
    ada = visitor(site.url)
    for name in (dispatcher.username, "nobody", "x" * 1000, "ünï\u202e"):
        answers = [ada.knock("/api/token/", name) for _ in range(LIMIT + 1)]
        assert [answer.status_code for answer in answers] == [401] * LIMIT + [429]
        assert {answer.text for answer in answers[:LIMIT]} == {
            '{"detail":"No active account found with the given credentials"}'
        }


def test_a_lock_ends_by_itself_although_somebody_goes_on_trying(site, visitor, dispatcher):
    ada = visitor(site.url)
    ada.lock("/api/token/", dispatcher.username)
    pass_time(minutes=10)
    assert 290 <= int(ada.knock("/api/token/", dispatcher.username).headers["Retry-After"]) <= 300
    pass_time(minutes=5)
    assert ada.knock("/api/token/", dispatcher.username).status_code == 401
    assert is_good(ada.knock("/api/token/", dispatcher.username, "dispatcher")), "counting began anew"


def pass_time(**time):
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(**time))


@pytest.mark.parametrize("command", [["axes_reset"], ["axes_reset_ip", "127.0.0.1"]])
def test_a_command_ends_the_locks(site, visitor, dispatcher, command):
    ada = visitor(site.url)
    ada.lock("/api/token/", dispatcher.username)
    call_command(*command)
    assert is_good(ada.knock("/api/token/", dispatcher.username, "dispatcher"))


@pytest.mark.parametrize("door", DOORS)
def test_a_good_password_ends_the_count(site, visitor, dispatcher, door):
    ada = visitor(site.url)
    for _ in range(3):
        for _ in range(LIMIT - 1):
            assert ada.knock(door, dispatcher.username).status_code in (200, 401)
        assert is_good(ada.knock(door, dispatcher.username, "dispatcher"))
        ada.http.cookies.clear()


def test_failures_of_long_ago_do_not_count(site, visitor, dispatcher, monkeypatch):
    monkeypatch.setattr(expired_rows, "AT_ONCE", 0)  # the sweep has not come to them
    ada = visitor(site.url)
    for _ in range(LIMIT - 1):
        ada.knock("/api/token/", dispatcher.username)
    pass_time(minutes=16)
    for _ in range(LIMIT):
        assert ada.knock("/api/token/", dispatcher.username).status_code == 401
    assert ada.knock("/api/token/", dispatcher.username).status_code == 429


# --- what it costs ------------------------------------------------------------------------------------------


class CountingHasher(MD5PasswordHasher):
    algorithm = "counting"
    hashes = 0

    def encode(self, password, salt):
        CountingHasher.hashes += 1
        return super().encode(password, salt)


@pytest.mark.parametrize("door", DOORS)
def test_an_attempt_that_is_refused_hashes_no_password_and_writes_no_row(site, visitor, settings, dispatcher, door):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    ada = visitor(site.url)
    ada.lock(door, "nobody")
    CountingHasher.hashes, before = 0, list(AccessAttempt.objects.values())
    assert {ada.knock(door, "nobody").status_code for _ in range(3)} == {429}
    assert CountingHasher.hashes == 0
    assert list(AccessAttempt.objects.values()) == before
    ada.knock(door, "somebody")
    assert CountingHasher.hashes == 1, "and the others are counted"


def test_the_table_keeps_no_names_and_one_row_for_a_name_at_an_address(site, visitor, dispatcher):
    ada = visitor(site.url)
    for door in DOORS:
        ada.knock(door, dispatcher.username)
    [row] = AccessAttempt.objects.values()
    assert row["failures_since_start"] == 3
    assert dispatcher.username not in str(row)
    assert "wrong" not in str(row)
    assert not [value for name, value in row.items() if name.endswith("_data") and value]


def test_old_rows_go_some_with_each_failure(site, visitor, monkeypatch):
    monkeypatch.setattr(expired_rows, "AT_ONCE", 20)
    common = {"ip_address": "127.0.0.9", "user_agent": "", "failures_since_start": 1}
    AccessAttempt.objects.bulk_create(AccessAttempt(username=f"{n}", **common) for n in range(50))
    pass_time(minutes=16)
    AccessAttempt.objects.create(username="young", **common)
    left = []
    for name in "abcd":
        visitor(site.url).knock("/api/token/", name)
        left.append(AccessAttempt.objects.count())
    assert left == [32, 13, 4, 5]
    assert AccessAttempt.objects.filter(username="young").exists()


def test_each_attempt_has_one_line_in_the_log(site, visitor, dispatcher, log):
    ada = visitor(site.url)
    for _ in range(LIMIT + 2):
        ada.knock("/api/token/", dispatcher.username)
    lines = [json.loads(line) for line in log.text().splitlines()]
    lines = [line for line in lines if not line["logger"].startswith("uvicorn")]
    assert [line.get("locked") for line in lines] == [None] * LIMIT + [True] * 2
    assert {(line["logger"], line["event"], line["user_id"], line["address"]) for line in lines} == {
        ("callsite.sign_ins", "Sign-in failed", dispatcher.pk, "127.0.0.1")
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(900, "15 minutes"), (61, "2 minutes"), (60, "1 minute"), (1, "1 minute")]
)
def test_the_time_to_wait_is_told_in_whole_minutes(seconds, text):
    assert Lock(seconds).text == f"Too many attempts. Try again in {text}."


# --- other processes, the other database --------------------------------------------------------------------


def test_two_processes_on_one_sqlite_file_share_their_locks(sqlite_env, visitor):
    with WebServer(sqlite_env) as one, WebServer(sqlite_env) as other:
        knocks = [visitor((one, other)[n % 2].url).knock(DOORS[n % 3], "admin").status_code for n in range(LIMIT)]
        assert 429 not in knocks
        for web in (one, other):
            assert {visitor(web.url).knock(door, "admin", PASSWORD).status_code for door in DOORS} == {429}
        assert is_good(visitor(other.url, "127.0.0.2").knock("/login/", "admin", PASSWORD))


def test_two_processes_on_postgresql_share_their_locks(on_postgresql, transactional_db, visitor, starts_programs):
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    env = server_env(database)
    with WebServer(env) as one, WebServer(env) as other:
        knocks = [visitor((one, other)[n % 2].url).knock(DOORS[n % 3], "nobody").status_code for n in range(LIMIT)]
        assert 429 not in knocks
        for web in (one, other):
            assert {visitor(web.url).knock(door, "nobody").status_code for door in DOORS} == {429}
            assert visitor(web.url, "127.0.0.2").knock("/login/", "nobody").status_code == 200
