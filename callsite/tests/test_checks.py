"""System checks of the project's own settings, by id; and as `manage.py` says them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.checks import ERROR, run_checks

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


def found() -> dict[str, int]:
    return {message.id: message.level for message in run_checks() if message.id.startswith("callsite.")}


def check(**env: str) -> subprocess.CompletedProcess[str]:
    own = {**os.environ, "DJANGO_DEBUG": "true", "DJANGO_SECRET_KEY": "", **env}
    command = [sys.executable, "manage.py", "check"]
    return subprocess.run(command, cwd=CHECKOUT, env=own, capture_output=True, text=True, timeout=60)
