"""`manage.py dial` and the admin's Dial page."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from calls.models import Call

pytestmark = pytest.mark.usefixtures("allowed", "transactional_db")
NUMBER = "+15550100003"


def dials(stub):
    return [body for method, path, body in stub.requests if method == "POST"]


@pytest.fixture
def browser(transactional_db):
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["dial_call", "view_call"]))
    browser = Browser()
    browser.force_login(user)
    return browser


def test_the_command_places_a_call_and_prints_its_names(lonely_stub, capsys):
    call_command("dial", NUMBER, "--driver", "DRV_1", "--variable", "dock=7")
    call = Call.objects.get()
    assert capsys.readouterr().out == f"Placed {call.call_sid}, conversation {call.conversation_id}.\n"
    assert dials(lonely_stub)[0]["conversation_initiation_client_data"]["dynamic_variables"]["dock"] == "7"


@pytest.mark.parametrize(("fault", "code"), [("422", 1), ("garbage", 3)])
def test_the_commands_exit_code_tells_refused_from_unknown(lonely_stub, fault, code):
    lonely_stub.fail("outbound-call", fault)
    with pytest.raises(CommandError) as error:
        call_command("dial", NUMBER, "--driver", "DRV_1")
    assert error.value.returncode == code
    assert Call.objects.get().call_sid in str(error.value)


def test_the_command_keeps_to_the_prefixes(lonely_stub, settings):
    settings.DIAL_ALLOWED_PREFIXES = []
    with pytest.raises(CommandError, match="DIAL_ALLOWED_PREFIXES"):
        call_command("dial", NUMBER, "--driver", "DRV_1")
    assert not Call.objects.exists()


def test_staff_dial_in_the_admin_and_a_form_sent_twice_dials_once(lonely_stub, browser):
    assert "/admin/elevenlabs/dial/" in browser.get("/admin/calls/call/").text
    page = browser.get("/admin/elevenlabs/dial/")
    form = {**page.context["form"].initial, "to_number": NUMBER, "driver_id": "DRV_1", "provider": "twilio"}
    answers = [browser.post("/admin/elevenlabs/dial/", form) for _ in range(2)]
    call = Call.objects.get()
    assert [answer.headers["Location"] for answer in answers] == [f"/admin/calls/call/{call.pk}/change/"] * 2
    assert len(dials(lonely_stub)) == 1
    assert f"Placed {call.call_sid}." in browser.get(answers[0].headers["Location"]).text


def test_what_is_wrong_stands_in_the_form(lonely_stub, browser, settings):
    settings.DIAL_ALLOWED_PREFIXES = ["+49"]
    form = {"key": "k", "to_number": NUMBER, "driver_id": "DRV_1", "provider": "twilio"}
    page = browser.post("/admin/elevenlabs/dial/", form)
    assert "DIAL_ALLOWED_PREFIXES does not allow this number." in page.text
    assert not Call.objects.exists()


def test_staff_without_the_permission_have_no_button_and_no_page(lonely_stub, browser):
    user = get_user_model().objects.get(username="clerk")
    user.user_permissions.set(Permission.objects.filter(codename="view_call"))
    assert "/admin/elevenlabs/dial/" not in browser.get("/admin/calls/call/").text
    assert browser.get("/admin/elevenlabs/dial/").status_code == 403
    assert Browser().get("/admin/elevenlabs/dial/").status_code == 302
