"""What somebody who is limited to agents may write over the API: calls of these agents, and no others."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from calls.models import AgentAccess, Call

pytestmark = pytest.mark.django_db


@pytest.fixture
def limited(api):
    client = api("view_call", "add_call", "change_call")
    AgentAccess.objects.create(user=get_user_model().objects.get(), agent_id="agent_a")
    return client


def made_by_webhooks(agent_id, **fields):
    fields = {"call_sid": "CA_1", "conversation_id": "conv_1", "name_rank": Call.NameRank.PROVIDER} | fields
    sources = {"agent_id": int(Call.Source.INITIATION)} if agent_id else {}
    return Call.register(agent_id=agent_id, party_sources=sources, **fields)


def test_a_call_is_registered_for_an_agent_that_is_named_and_is_theirs(limited):
    unnamed = limited.post("/api/calls/", {"driver_id": "D"}, "json")
    assert (unnamed.status_code, list(unnamed.json())) == (400, ["agent_id"])
    assert limited.post("/api/calls/", {"agent_id": ""}, "json").status_code == 400
    assert limited.post("/api/calls/", {"agent_id": "agent_b"}, "json").status_code == 403
    assert not Call.objects.exists()
    assert limited.post("/api/calls/", {"agent_id": "agent_a"}, "json").status_code == 201


def test_a_call_does_not_move_to_another_agent(limited):
    call = Call.register(call_sid="EL_1", agent_id="agent_a")
    for agent_id, status in (("agent_b", 403), ("", 400), ("agent_a", 200)):
        assert limited.patch("/api/calls/EL_1/", {"agent_id": agent_id}, "json").status_code == status
        call.refresh_from_db()
        assert call.agent_id == "agent_a"
    assert limited.patch("/api/calls/EL_1/", {"driver_id": "D"}, "json").status_code == 200


def test_another_agents_call_is_not_changed(limited):
    Call.register(call_sid="EL_1", agent_id="agent_b")
    Call.register(call_sid="EL_2")
    for name in ("EL_1", "EL_2"):
        assert limited.patch(f"/api/calls/{name}/", {"driver_id": "D"}, "json").status_code == 404


@pytest.mark.parametrize("names", [{"call_sid": "CA_1"}, {"conversation_id": "conv_1"}])
def test_what_webhooks_made_is_filled_unless_it_is_another_agents(limited, names):
    made_by_webhooks("agent_b", transcript_summary="not for everybody")
    refused = limited.post("/api/calls/", {"agent_id": "agent_a", **names}, "json")
    assert (refused.status_code, list(refused.json())) == (400, list(names))
    assert "everybody" not in refused.text
    assert Call.objects.get().agent_id == "agent_b"
    Call.objects.all().delete()
    made_by_webhooks("")
    filled = limited.post("/api/calls/", {"agent_id": "agent_a", **names}, "json")
    assert (filled.status_code, filled.json()["agent_id"]) == (200, "agent_a")


def test_no_conversation_of_another_agent_is_linked(limited):
    Call.register(call_sid="EL_1", agent_id="agent_a")
    made_by_webhooks("agent_b", call_sid="conv_1", name_rank=Call.NameRank.STAND_IN)
    refused = limited.patch("/api/calls/EL_1/", {"conversation_id": "conv_1"}, "json")
    assert (refused.status_code, list(refused.json())) == (400, ["conversation_id"])
    assert Call.objects.count() == 2


def test_who_may_write_and_not_view_gets_the_identifiers_alone(api):
    made = api("add_call").post("/api/calls/", {"conversation_id": "conv_1"}, "json").json()
    assert set(made) == {"call_sid", "conversation_id"}
    changed = api("change_call").patch("/api/calls/conv_1/", {"driver_id": "D"}, "json").json()
    assert changed == made
