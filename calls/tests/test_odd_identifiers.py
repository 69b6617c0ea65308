"""Identifiers hold any printable character, and work in REST and in the admin's search as they were given."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from calls.turns import record_turn

ODD = [
    *("a/b", "a//b/", "/a", "a/transcript", "a/recording", "recording", "transcript/transcript", "a%2Fb", "100 %"),
    *("with two  spaces", " leading", "trailing ", 'a "quoted" one', "it's", "a?b#c", "a+b&c=d", "é 😀", "<b>", "\\"),
    *("a\u3000b\u00a0c", "👨\u200d👩\u200d👧"),
]


@pytest.fixture
def staff(transactional_db):
    user = get_user_model().objects.create_superuser("boss", password="boss")
    return str(AccessToken.for_user(user))


def address(identifier, part=""):
    return f"/api/calls/{quote(identifier, safe='')}/{part}"


@pytest.mark.parametrize("field", ["call_sid", "conversation_id"])
@pytest.mark.parametrize("identifier", ODD)
def test_an_odd_identifier_is_kept_and_works_in_every_address(site, staff, identifier, field):
    made = site.api("POST", "/api/calls/", staff, json={field: identifier})
    assert (made.status_code, made.json()[field]) == (201, identifier)
    record_turn(Call.objects.get(), speaker_type="agent", message_text="Hello")
    assert site.api("GET", address(identifier), staff).json()[field] == identifier
    assert site.api("GET", address(identifier, "transcript/"), staff).json()["turns"]
    missing = site.api("GET", address(identifier, "recording/"), staff)
    assert (missing.status_code, missing.json()["detail"]) == (404, "This call has no recording.")
    assert site.api("PATCH", address(identifier), staff, json={"driver_id": "D"}).json()["driver_id"] == "D"
    twice = site.api("POST", "/api/calls/", staff, json={field: identifier})
    assert (twice.status_code, list(twice.json())) == (400, [field])


@pytest.mark.parametrize("part", ["transcript", "recording"])
def test_a_plain_slash_begins_a_part_and_an_encoded_one_belongs_to_the_identifier(site, staff, part):
    whole = Call.register(call_sid=f"a/{part}", driver_id="whole")
    path = f"/api/calls/a/{part}/"
    assert site.api("GET", path, staff).json()["call_sid"] == whole.call_sid  # there is no call `a`
    assert site.api("PATCH", path, staff, json={"driver_id": "E"}).json()["driver_id"] == "E"
    Call.register(call_sid="a")
    record_turn(Call.objects.get(call_sid="a"), speaker_type="agent", message_text="of a")
    assert site.api("GET", address(whole.call_sid), staff).json()["driver_id"] == "E"
    if part == "transcript":
        assert site.api("GET", path, staff).json()["turns"][0]["message_text"] == "of a"
        assert site.api("GET", address(whole.call_sid, "transcript/"), staff).json()["call_sid"] == whole.call_sid


def test_a_part_of_no_call_is_404_and_a_part_cannot_be_written(site, staff):
    missing = site.api("GET", "/api/calls/nobody/transcript/", staff)
    assert (missing.status_code, missing.json()["detail"][:22]) == (404, "There is no call with ")
    Call.register(call_sid="a")
    assert site.api("PATCH", "/api/calls/a/transcript/", staff, json={"driver_id": "D"}).status_code == 405
    assert site.api("GET", "/api/calls/a/recording/", "no token").status_code == 401


@pytest.mark.parametrize("identifier", ["  ", "a\tb", "a\u2028b", 4711, -6.1e-05, True])
def test_one_that_cannot_be_seen_or_is_no_text_is_refused(site, staff, identifier):
    for field in ("call_sid", "conversation_id"):
        refused = site.api("POST", "/api/calls/", staff, json={field: identifier})
        assert (refused.status_code, list(refused.json())) == (400, [field])


@pytest.mark.parametrize("identifier", ["with two  spaces", " leading", "trailing ", '"quoted text"', "it's a b"])
def test_the_admin_finds_it_with_its_spaces_and_quotes(admin_client, identifier):
    for number, field in enumerate(("call_sid", "conversation_id")):
        found = Call.register(**{"driver_id": f"DRV_{number}", field: identifier})
        Call.register(driver_id="another", call_sid=identifier.split()[0] + "x")
        page = admin_client.get(reverse("admin:calls_call_changelist"), {"q": identifier})
        assert found in page.context["cl"].queryset, "and what begins with its words"
        Call.objects.all().delete()
