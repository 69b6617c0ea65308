"""System checks of the settings, by id."""

from __future__ import annotations

import pytest
from django.core.checks import ERROR, WARNING, run_checks


def found():
    return {message.id: message.level for message in run_checks(databases=[]) if message.id.startswith("webhooks.")}


pytestmark = pytest.mark.django_db  # all checks run, and one asks SQLite what it can do


@pytest.fixture(autouse=True)
def production(settings):
    settings.DEBUG = False


def test_with_both_secrets_there_is_nothing_to_say():
    assert found() == {}


@pytest.mark.parametrize("empty", ["", " ", ",", " , "])
def test_e001_no_webhook_secret_outside_debug(settings, empty):
    settings.ELEVENLABS_WEBHOOK_SECRET = empty
    assert found() == {"webhooks.E001": ERROR}


def test_w001_no_tool_secret_outside_debug(settings):
    settings.ELEVENLABS_TOOL_SECRET = ""
    assert found() == {"webhooks.W001": WARNING}


def test_while_debug_is_on_secrets_may_be_missing(settings):
    settings.ELEVENLABS_WEBHOOK_SECRET = settings.ELEVENLABS_TOOL_SECRET = ""
    settings.DEBUG = True
    assert found() == {}


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("name", ["ELEVENLABS_WEBHOOK_SECRET", "ELEVENLABS_TOOL_SECRET"])
def test_w002_a_secret_that_is_too_short_whichever_of_several_it_is(settings, name, debug):
    settings.DEBUG = debug
    long = "x" * 16
    for short in ("y", "y" * 15, f"{long}, {'ü' * 15}", f" y ,{long}"):
        setattr(settings, name, short)
        (warning,) = [message for message in run_checks(databases=[]) if message.id == "webhooks.W002"]
        assert warning.level == WARNING
        assert name in warning.msg
        assert "y" * 15 not in warning.msg
    setattr(settings, name, f"{long},{long}y")
    assert found() == {}


LONG = "x" * 32


@pytest.mark.parametrize("name", ["ELEVENLABS_WEBHOOK_SECRET", "ELEVENLABS_TOOL_SECRET"])
@pytest.mark.parametrize(
    ("written", "hint"),
    [
        (f"v1,whsec_{LONG}", "Leave out `v1,`"),
        (f"wsec_{LONG},V0", "Leave out `v1,`"),
        (f"Bearer {LONG}", "Leave that word out"),
        (f"wsec_{LONG} other", "A comma separates"),
        (f'"wsec_{LONG}', "quotation mark"),
    ],
)
def test_w003_a_secret_with_something_that_is_none_of_it(settings, name, written, hint):
    setattr(settings, name, written)
    [warning] = [message for message in run_checks(databases=[]) if message.id.startswith("webhooks.")]
    assert (warning.id, warning.level) == ("webhooks.W003", WARNING)
    assert hint in warning.hint
    assert name in warning.msg
    assert LONG not in f"{warning.msg}{warning.hint}"


@pytest.mark.parametrize("wrong", [[], "text", 5, None, {"a": None}, {"a": {"b": 1}}, {"a": []}, {"call_sid": "x"}])
def test_e002_dynamic_variables_that_elevenlabs_does_not_take(settings, wrong):
    settings.ELEVENLABS_DYNAMIC_VARIABLES = wrong
    assert found() == {"webhooks.E002": ERROR}


def test_dynamic_variables_that_elevenlabs_takes_pass(settings):
    settings.ELEVENLABS_DYNAMIC_VARIABLES = {"company": "Acme", "dock": 7, "rate": 0.5, "is_open": True}
    assert found() == {}
