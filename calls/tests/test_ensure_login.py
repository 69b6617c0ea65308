"""`manage.py ensure_login`."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


def said(capsys, **options):
    call_command("ensure_login", **options)
    return capsys.readouterr().out


def test_the_first_time_it_makes_a_superuser_and_prints_how_to_sign_in(capsys):
    out = said(capsys, url="http://127.0.0.1:8001/")
    assert "http://127.0.0.1:8001/admin/" in out
    password = re.search(r"password  (\w{16}) ", out)[1]
    user = authenticate(username="admin", password=password)
    assert user.is_superuser
    assert user.is_staff


def test_two_checkouts_have_different_passwords(capsys):
    first = said(capsys)
    get_user_model().objects.all().delete()
    assert said(capsys) != first


def test_where_there_is_a_staff_login_it_says_which_and_changes_nothing(capsys):
    get_user_model().objects.create_user("mara", password="mara", is_staff=True)
    out = said(capsys)
    assert "Sign in as mara" in out
    assert "changepassword mara" in out
    assert get_user_model().objects.count() == 1
    assert authenticate(username="mara", password="mara")


def test_a_staff_user_who_may_not_sign_in_does_not_count(capsys):
    get_user_model().objects.create_user("mara", password="mara", is_staff=True, is_active=False)
    assert "user      admin" in said(capsys)


def test_somebody_else_of_that_name_keeps_it(capsys):
    get_user_model().objects.create_user("admin", password="mine")
    with pytest.raises(CommandError, match="--username"):
        call_command("ensure_login")
    assert "user      mara" in said(capsys, username="mara")
    assert authenticate(username="admin", password="mine")
