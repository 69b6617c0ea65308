"""Roles, limits to agents, and every door to a call: pages, API, ranges, sockets, the list of calls."""

from __future__ import annotations

import asyncio
import base64
import uuid

import pytest
import websockets
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from rest_framework_simplejwt.tokens import AccessToken

from calls.groups import AUDITORS, DISPATCHERS, SUPERVISORS
from calls.models import AgentAccess, Call
from calls.turns import record_turn
from conftest import Socket, payload
from webhooks.models import WebhookDelivery

AUDIO = bytes(range(256)) * 10
SAID = "the delivery comes at sixty fifty"
CALL, TURNS, RECORDING = {"api", "list", "search", "transcript", "socket", "feed"}, {"admin turn"}, {"play", "range"}
PAGES = {"admin call", "record"}
# role → the doors that show a call of agent A
ROLES = {
    "superuser": {
        *(CALL | TURNS | RECORDING | PAGES),
        *("admin recording", "delivery", "unmatched delivery", "raw", "seen by"),
    },
    DISPATCHERS: CALL | PAGES,
    SUPERVISORS: CALL | TURNS | RECORDING | PAGES | {"admin recording", "delivery", "unmatched delivery"},
    AUDITORS: CALL | TURNS | RECORDING | PAGES | {"admin recording", "delivery", "unmatched delivery", "seen by"},
    "nothing": set(),
    "view_call": CALL | PAGES,
    "view_callrecording": {"admin recording"},
    "view_calltranscription": {"admin turn"},
    "view_webhookdelivery": {"delivery", "unmatched delivery"},
    "view_raw_payload": set(),
    "view_webhookdelivery view_raw_payload": {"delivery", "unmatched delivery", "raw"},
    "view_accesslogentry view_call": CALL | PAGES | {"seen by"},
}
LIMITED = {
    "agent_a": CALL | TURNS | RECORDING | PAGES | {"admin recording", "delivery"},
    "agent_b": set(),
    "agent_a agent_b": CALL | TURNS | RECORDING | PAGES | {"admin recording", "delivery"},
    "": set(),  # no row, and nothing is visible by default
}


@pytest.fixture
def known(site, only_postgresql):
    """A call of agent A with a turn, a recording and their deliveries; and a delivery that waits for its call."""
    mark = uuid.uuid4().hex[:10]
    call = Call.register(call_sid=f"EL_{mark}", conversation_id=f"conv_{mark}", agent_id="agent_a")
    record_turn(call, speaker_type="agent", message_text=SAID)
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["agent_id"] = "agent_a"
    body["data"]["full_audio"] = base64.b64encode(AUDIO).decode()
    assert site.post_call(body).status_code == 200
    assert site.post_call(payload("audio_small_mp3", "conv_nobody_knows")).status_code == 404
    return call


def user_of(role):
    user = get_user_model().objects.create_user(f"user-{uuid.uuid4().hex[:8]}", is_staff=True)
    if role == "superuser":
        user.is_superuser = True
        user.save()
    elif group := Group.objects.filter(name=role).first():
        user.groups.add(group)
    else:
        user.user_permissions.set(Permission.objects.filter(codename__in=role.split()))
    return user


class Doors:
    """Each tells whether the call is shown; whatever is refused shows nothing of it."""

    def __init__(self, site, call, user):
        self.site, self.call, self.token = site, call, str(AccessToken.for_user(user))
        self.client = Client()
        self.client.force_login(user)

    def through(self):
        shown = {
            "api": self.api("").get("call_sid") == self.call.call_sid,
            "list": self.found("/api/calls/"),
            "search": self.found(f"/api/calls/?search={self.call.call_sid}"),
            "transcript": self.api("transcript/").get("turns", [{}])[0].get("message_text") == SAID,
            "play": self.plays(200, AUDIO),
            "range": self.plays(206, AUDIO[3:10], Range="bytes=3-9"),
            **self.of_admin(),
            **asyncio.run(self.of_sockets()),
        }
        return {door for door, is_open in shown.items() if is_open}

    def api(self, part):
        answer = self.site.api("GET", f"/api/calls/{self.call.conversation_id}/{part}", self.token)
        assert answer.status_code in (200, 403, 404)
        return answer.json() if answer.status_code == 200 else {}

    def found(self, path):
        rows = self.site.api("GET", path, self.token).json().get("results", [])
        return [row["call_sid"] for row in rows] == [self.call.call_sid]

    def plays(self, status, content, **headers):
        url = f"/api/calls/{self.call.call_sid}/recording/"
        answer = self.site.client.get(url, headers={"Authorization": f"Bearer {self.token}", **headers})
        assert answer.status_code in (status, 403, 404)
        return answer.status_code == status and answer.content == content

    def page(self, model, pk, text):
        """Whether the page of a row shows it, and the list has it."""
        page = self.client.get(reverse(f"admin:{model}_change", args=[pk]))
        rows = self.client.get(reverse(f"admin:{model}_changelist"))
        listed = rows.status_code == 200 and any(row.pk == pk for row in rows.context["cl"].result_list)
        assert listed == (page.status_code == 200)
        return listed and text in page.text

    def of_admin(self):
        deliveries = WebhookDelivery.objects.order_by("pk")
        kept, unmatched = deliveries.get(call=self.call), deliveries.get(outcome="unmatched")
        raw = self.client.get(reverse("admin:webhooks_webhookdelivery_raw", args=[kept.pk]))
        call_page = self.client.get(reverse("admin:calls_call_change", args=[self.call.pk]))
        for page in (raw, self.client.get(reverse("admin:webhooks_webhookdelivery_change", args=[kept.pk]))):
            assert base64.b64encode(AUDIO).decode()[:100] not in page.text, "no delivery shows audio"
        return {
            "admin call": self.page("calls_call", self.call.pk, self.call.call_sid),
            "admin turn": self.page("calls_calltranscription", self.call.transcriptions.get().pk, SAID),
            "admin recording": self.page("calls_callrecording", self.call.recording.pk, self.call.recording.sha256),
            "delivery": self.page("webhooks_webhookdelivery", kept.pk, self.call.conversation_id),
            "unmatched delivery": self.page("webhooks_webhookdelivery", unmatched.pk, "conv_nobody_knows"),
            "raw": raw.status_code == 200 and self.call.conversation_id in raw.text,
            "seen by": call_page.status_code == 200 and "All in the access log" in call_page.text,
            "record": self.client.get(reverse("live-record", args=[self.call.call_sid])).status_code == 302,
        }

    async def of_sockets(self):
        try:
            async with self.site.socket(self.token) as socket:
                told = await socket.subscribe(self.call.conversation_id)
                assert told["type"] == "subscription_confirmed" or told["code"] == "CALL_NOT_FOUND"
            async with Socket.connect(f"ws://127.0.0.1:{self.site.port}/ws/calls", self.token) as socket:
                listed = [call["call_sid"] for call in (await socket.next())["calls"]]
        except websockets.InvalidStatus:
            return {}
        return {"socket": told["type"] == "subscription_confirmed", "feed": listed == [self.call.call_sid]}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_doors_and_no_others(site, known, role):
    assert Doors(site, known, user_of(role)).through() == ROLES[role]


@pytest.mark.parametrize("through_group", [False, True])
@pytest.mark.parametrize("agents", LIMITED)
def test_a_supervisor_who_is_limited_to_agents_sees_their_calls_alone(site, known, settings, agents, through_group):
    user = user_of(SUPERVISORS)
    group = Group.objects.create(name=f"group-{uuid.uuid4().hex}")
    user.groups.add(group)
    whose = {"group": group} if through_group else {"user": user}
    AgentAccess.objects.bulk_create([AgentAccess(agent_id=agent, **whose) for agent in agents.split()])
    settings.CALLS_VISIBLE_BY_DEFAULT = "all" if agents else "none"
    assert Doors(site, known, user).through() == LIMITED[agents]


def test_a_superuser_is_unlimited_whatever_rows_there_are(site, known, settings):
    user = user_of("superuser")
    AgentAccess.objects.create(user=user, agent_id="agent_b")
    settings.CALLS_VISIBLE_BY_DEFAULT = "none"
    assert Doors(site, known, user).through() == ROLES["superuser"]


def test_nobody_without_a_login_gets_through_any_door(site, known):
    for path in ("", "transcript/", "recording/"):
        assert site.client.get(f"/api/calls/{known.call_sid}/{path}").status_code == 401
    for name in ("calls_call", "calls_accesslogentry", "webhooks_webhookdelivery"):
        assert Client().get(reverse(f"admin:{name}_changelist")).status_code == 302
