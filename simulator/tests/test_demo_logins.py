"""The demo's users: made by it, known by it again, and nobody else's login."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from simulator.logins import RIGHTS, demo_logins
from simulator.server import SimulationError

pytestmark = pytest.mark.django_db
NAMES = {"demo-dispatcher", "demo-supervisor", "demo-admin"}


def sign_in(logins):
    """The names that can sign in, with these passwords."""
    return {name for name, password in logins.items() if authenticate(username=name, password=password)}


def test_each_start_prints_logins_that_work_until_it_ends():
    with demo_logins() as first:
        assert sign_in(first) == NAMES
    assert sign_in(first) == set()
    with demo_logins() as second:
        assert sign_in(second) == NAMES
        assert sign_in(first) == set()
    assert get_user_model().objects.count() == 3


def test_the_logins_end_with_a_demo_that_fails():
    with pytest.raises(SimulationError), demo_logins() as logins:
        raise SimulationError("The server ended by itself.")
    assert sign_in(logins) == set()


def test_the_login_that_make_run_made_and_anybody_elses_stay_as_they_are():
    call_command("ensure_login")
    for name in ("dispatcher", "supervisor"):
        get_user_model().objects.create_user(name, password=name, is_active=name == "supervisor")
    people = list(get_user_model().objects.order_by("pk").values())
    with demo_logins():
        pass
    assert list(get_user_model().objects.exclude(username__in=NAMES).order_by("pk").values()) == people


@pytest.mark.parametrize("name", RIGHTS)
def test_a_person_of_that_name_is_left_alone_and_named(name):
    person = get_user_model().objects.create_user(name, email="mara@example.org", password="mine")
    with pytest.raises(SimulationError, match=f"a user {name} whom the demo did not make"), demo_logins():
        pass
    assert authenticate(username=name, password="mine") == person
    assert get_user_model().objects.count() == 1


def test_after_the_demo_make_run_makes_a_login_of_its_own(capsys):
    with demo_logins():
        pass
    call_command("ensure_login")
    assert "user      admin" in capsys.readouterr().out
