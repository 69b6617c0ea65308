"""Whatever an address, a query or a header holds: an answer below 500, the connection kept, no traceback in the log."""

from __future__ import annotations

import html
import re

import pytest
import websockets
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client

from calls.models import CallRecording
from callsite.tests.hostile_requests import FORM, Visitor, routes, visit
from conftest import payload


@pytest.fixture
def visitor(site):
    """A superuser, in the browser."""
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser("root"))
    csrf = "a" * 32
    cookie = f"sessionid={browser.cookies['sessionid'].value}; csrftoken={csrf}"
    return Visitor(site.client, {"Cookie": cookie, "X-CSRFToken": csrf, "Content-Type": "application/json"})


def test_the_routes_that_are_asked_are_those_of_the_site():
    assert {"/admin/calls/call/", "/api/calls/<identifier>/recording/", "/live/record/<call_sid>"} <= set(routes())


def test_no_address_query_or_header_is_answered_by_a_fault(site, call, visitor, caplog):
    audio = payload("audio_docs_sample", call.conversation_id)
    assert site.post_call(audio).status_code == 200
    assert CallRecording.objects.count() == 1
    caplog.clear()
    visit(visitor, call.call_sid, seed=15, each=1)
    assert visitor.faults == []
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert visitor.ask("GET", f"/api/calls/{call.call_sid}/recording/") == 200, "it was signed in to the end"


NUL_IN_A_QUERY = [
    *("/live/?x=%00", "/live/?%00=x", "/admin/calls/call/?status__exact=a%00", "/api/schema/?version=%00"),
    *("/admin/webhooks/webhookdelivery/?event_type=%00", "/admin/calls/call/?driver_id=%00", "/login/?next=%00"),
]


@pytest.mark.parametrize("address", NUL_IN_A_QUERY)
def test_nul_in_a_query_is_refused_in_words(visitor, address):
    answer = visitor.client.get(address, headers=visitor.headers)
    assert answer.status_code == 400
    assert "%00" in answer.text


@pytest.mark.parametrize(
    "address", ["/live/record/%00", "/live/record/a%00b", "/nosuch%00", "/api/calls/a%00/", "/api/x"]
)
def test_an_address_that_no_call_has_leads_nowhere(visitor, address):
    answer = visitor.client.get(address, headers=visitor.headers)
    assert answer.status_code == 404
    assert not address.startswith("/api/") or answer.json()["detail"]


async def test_nul_in_the_cookie_of_a_session_is_no_session(site, dispatcher):
    """A cookie in quotes can say any character by its number."""
    cookie = {"Cookie": 'sessionid="0123456789\\0000"'}
    assert site.client.get("/live/", headers=cookie).url.path == "/live/"
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(site.ws_url, proxy=None, additional_headers=cookie | {"Origin": site.url}):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("debug", [False, True])
def test_too_many_parameters_are_refused_in_words(visitor, settings, debug):
    settings.DEBUG = debug
    answer = visitor.client.get("/live/?" + "a&" * 2_000, headers=visitor.headers)
    assert (answer.status_code, answer.text) == (400, "The query has too many parameters.")


@pytest.mark.parametrize("form", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=a"])
@pytest.mark.parametrize("charset", ["latin-1", "base64", "nosuch"])
@pytest.mark.parametrize("address", ["/login/", "/api/token/"])
def test_a_form_in_another_charset_is_refused_in_words(site, caplog, address, charset, form):
    body = b'--a\r\nContent-Disposition: form-data; name="username"\r\n\r\nroot\r\n--a--\r\n'
    answer = site.client.post(address, content=body, headers={"Content-Type": f"{form}; charset={charset}"})
    assert answer.status_code == 415
    assert "UTF-8" in answer.text
    assert not [record for record in caplog.records if record.exc_info]


ORACLES = [
    *("calls/call/?call_sid__regex=(", "calls/call/?created_at__year=99999999999999999999", "calls/call/?status__in=a"),
    *("calls/call/?created_at__regex=(", "auth/user/?password__startswith=p", "auth/user/?username__regex=("),
    *("auth/group/?user__password__startswith=p", "auth/user/?groups__user__password__startswith=p"),
    *("auth/user/?last_login__year=99999999999999999999", "webhooks/webhookdelivery/?received_at__year=1"),
]


@pytest.mark.parametrize("query", ORACLES)
def test_a_list_of_the_admin_takes_the_look_ups_of_its_filters_alone(visitor, caplog, query):
    answer = visitor.client.get(f"/admin/{query}", headers=visitor.headers)
    assert answer.status_code == 400
    assert "not allowed" in answer.text
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("key", ["", "a", "1.5", "-1", "\0", "9" * 18, "9" * 20, "\u0661"])
@pytest.mark.parametrize("list_and_action", ["calls/call end_calls", "webhooks/webhookdelivery apply_deliveries_again"])
def test_an_action_on_a_row_that_has_no_such_key_does_nothing(visitor, call, caplog, list_and_action, key):
    address, action = list_and_action.split()
    chosen = {"action": action, "_selected_action": [str(call.pk), key], "reason": "why"}
    answer = visitor.client.post(f"/admin/{address}/", data=chosen, headers=visitor.headers | {"Content-Type": FORM})
    assert answer.status_code == (400 if key != "9" * 18 else 302 if "calls" in address else 200)
    call.refresh_from_db()
    assert call.ended == (key == "9" * 18 and "calls" in address)
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("query", ["is_staff__exact=1", "groups__id__exact=1", "is_active__exact=0&q=root", "o=-1"])
def test_the_filters_of_users_work(visitor, query):
    assert visitor.client.get(f"/admin/auth/user/?{query}", headers=visitor.headers).status_code == 200


def test_the_filters_of_lists_make_no_look_up_that_their_list_refuses(visitor):
    """Each link of each filter, as the pages have them."""
    for model in admin.site._registry:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        page = visitor.client.get(address, headers=visitor.headers).text
        for query in set(re.findall(r'href="(\?[^"]+)"', page)):
            answer = visitor.client.get(address + html.unescape(query), headers=visitor.headers)
            assert answer.status_code == 200, f"{address}{query}"
