"""System checks of the project's own settings, by id; and as `manage.py` says them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.checks import ERROR, run_checks
from django.http.request import validate_host

from calls.zone import zone
from lab.stack.webserver import CHECKOUT

pytestmark = [
    pytest.mark.filterwarnings("ignore:Overriding setting DATABASES"),
    pytest.mark.django_db,  # all checks run, and one asks SQLite what it can do
]

POSTGRES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}


@pytest.mark.parametrize("databases", [POSTGRES, SQLITE | {"archive": POSTGRES["default"]}])
@pytest.mark.parametrize("debug", [True, False])
def test_e001_the_published_key_is_for_sqlite_alone(settings, databases, debug):
    settings.SECRET_KEY = settings.DEVELOPMENT_KEY
    settings.DEBUG = debug
    settings.DATABASES = databases
    assert found() == {"callsite.E001": ERROR}
    settings.SECRET_KEY = "a key of one's own"
    assert found() == {}


def test_e001_the_published_key_is_for_debug_alone(settings):
    settings.SECRET_KEY = settings.DEVELOPMENT_KEY
    settings.DATABASES = SQLITE
    settings.DEBUG = False
    assert found() == {"callsite.E001": ERROR}
    settings.DEBUG = True
    assert found() == {}


def test_without_a_key_debug_works_on_sqlite_and_says_what_to_set_on_postgresql(starts_programs):
    assert check(DATABASE_URL="sqlite://:memory:").returncode == 0
    refused = check(DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing")
    assert refused.returncode == 1
    assert "(callsite.E001) DJANGO_SECRET_KEY is the key" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "host",
    [
        *("https://calls.example", "calls.example:8000", "calls.example/", "*.calls.example", "a.example b.example"),
        *("a.example;b.example", "['a.example']", "me@calls.example", "münchen.example", "calls_1.example"),
    ],
)
def test_w002_names_a_host_that_no_request_can_match(settings, host):
    settings.ALLOWED_HOSTS = ["good.example", host]
    [warning] = [message for message in run_checks(databases=[]) if message.id == "callsite.W002"]
    assert repr(host) in warning.msg
    assert not validate_host("calls.example", [host])


@pytest.mark.parametrize(
    "host", ["calls.example", ".calls.example", "*", "127.0.0.1", "[::1]", "Calls.Example", "web-1"]
)
def test_w002_leaves_good_hosts_alone(settings, host):
    settings.ALLOWED_HOSTS = [host]
    assert found() == {}


@pytest.mark.parametrize(
    "origin",
    [
        *("https://calls.example/", "https://calls.example/live", "https://calls.example:443", "http://a.example:80"),
        *(
            "https://Calls.example",
            "https://*",
            "https://cal*.example",
            "https://*calls.example",
            "wss://calls.example",
        ),
        *("https://me@calls.example", "https://a.example https://b.example", "https://münchen.example"),
    ],
)
def test_w003_names_an_origin_that_no_browser_sends(settings, origin):
    settings.CSRF_TRUSTED_ORIGINS = ["https://good.example", origin]
    [warning] = [message for message in run_checks(databases=[]) if message.id == "callsite.W003"]
    assert repr(origin) in warning.msg


@pytest.mark.parametrize("origin", ["https://calls_1.example", "http://127.0.0.1:8000", "https://*.a.example:8443"])
def test_w003_leaves_good_origins_alone(settings, origin):
    settings.CSRF_TRUSTED_ORIGINS = [origin]
    assert found() == {}


def found() -> dict[str, int]:
    return {
        message.id: message.level
        for message in run_checks(databases=[])
        if message.id.startswith(("callsite.", "calls."))
    }


def check(**env: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "DJANGO_DEBUG": "true", "DJANGO_SECRET_KEY": "", **env}
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, cwd=CHECKOUT, env=own, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "America/Argentina/Ushuaia"])
def test_a_time_zone_that_there_is_passes(settings, name):
    settings.CALLS_TIME_ZONE = name
    assert found() == {}


@pytest.mark.parametrize("name", ["Berlin", "Europe", "../UTC", "/etc/passwd", "UTC\x00", "+02:00"])
def test_calls_e001_a_time_zone_that_there_is_not(settings, name):
    settings.CALLS_TIME_ZONE = name
    assert found() == {"calls.E001": ERROR}
    assert zone().key == "UTC"


@pytest.mark.parametrize("item", ["*", "X-*", "tenant: 5", "a;b", "__", "X-Key=1"])
def test_calls_w001_names_an_item_that_no_header_parameter_or_variable_is_called(settings, item):
    settings.REDACTED_NAMES = ["X-Tenant-Key", item]
    [warning] = [message for message in run_checks(databases=[]) if message.id == "calls.W001"]
    assert repr(item) in warning.msg


def test_calls_w001_leaves_names_alone(settings):
    settings.REDACTED_NAMES = ["X-Tenant-Key", "crm_pin", "Kundennummer", "номер", "tenant key", "a"]
    assert found() == {}
