"""What REST says of a call beside what webhooks say of it: every order ends in the same names, and nothing is lost."""

from __future__ import annotations

import re

import pytest

from calls import registration
from calls.linking import Name, NameRank, Reference, link
from calls.models import Call
from calls.outcome import CallFailure, Parties

MADE = re.compile(r"EL_D_\d+_[\w-]{16}")


def webhook(conversation_id=None, call_sid=None, rank=NameRank.PROVIDER, **more):
    names = (Name(call_sid, rank),) if call_sid else ()
    return link(Reference(conversation_id=conversation_id, names=names, **more), create=True).call


def state():
    call = Call.objects.get()
    names = {"conv_1", "CA_1"}
    return (
        call.call_sid if call.call_sid in names else bool(MADE.fullmatch(call.call_sid)),
        call.conversation_id,
        call.get_name_rank_display(),
        sorted(name for name in call.aliases.values_list("name", flat=True)),
        call.driver_id,
    )


@pytest.mark.parametrize("call_sid", [None, "CA_1"])
def test_a_registration_by_the_conversation_alone_ends_in_one_state_before_and_behind_the_webhooks(writer, call_sid):
    body = {"conversation_id": "conv_1", "driver_id": "D"}
    assert writer.post("/api/calls/", body, "json").status_code == 201
    webhook("conv_1", call_sid)
    natural = state()
    assert natural[:3] == (True, "conv_1", "Registered or dialled")
    Call.objects.all().delete()
    made = webhook("conv_1", call_sid)
    response = writer.post("/api/calls/", body, "json")
    assert (response.status_code, bool(MADE.fullmatch(response.json()["call_sid"]))) == (200, True)
    assert state() == natural
    assert writer.get(f"/api/calls/{made.call_sid}/").json()["driver_id"] == "D"


@pytest.mark.parametrize(
    ("known", "body", "field"),
    [
        ({"call_sid": "EL_1"}, {"conversation_id": "EL_1"}, "conversation_id"),
        ({"call_sid": "EL_1"}, {"call_sid": "EL_2", "conversation_id": "EL_1"}, "conversation_id"),
        ({"call_sid": "EL_1", "conversation_id": "conv_1"}, {"conversation_id": "EL_1"}, "conversation_id"),
        ({"call_sid": "EL_1", "conversation_id": "conv_1"}, {"call_sid": "conv_1"}, "call_sid"),
    ],
)
def test_a_name_of_another_call_is_refused_whichever_kind_of_name_it_is(writer, known, body, field):
    Call.register(**known)
    response = writer.post("/api/calls/", body, "json")
    assert (response.status_code, list(response.json())) == (400, [field])
    assert Call.objects.get().driver_id == ""


def test_a_conversation_that_is_the_call_sid_of_a_webhooks_call_with_another_one_is_refused(writer):
    webhook("conv_1", "CA_1")
    response = writer.post("/api/calls/", {"conversation_id": "CA_1"}, "json")
    assert (response.status_code, list(response.json())) == (400, ["conversation_id"])
    Call.register(call_sid="EL_2")
    response = writer.patch("/api/calls/EL_2/", {"conversation_id": "CA_1"}, "json")
    assert (response.status_code, list(response.json())) == (400, ["conversation_id"])
    assert Call.objects.count() == 2


def test_a_conversation_that_is_replaced_stays_a_name_of_the_call(writer):
    Call.register(call_sid="EL_1", conversation_id="conv_1", driver_id="D")
    assert writer.patch("/api/calls/EL_1/", {"conversation_id": "conv_2"}, "json").json()["conversation_id"] == "conv_2"
    assert writer.get("/api/calls/conv_1/").json()["conversation_id"] == "conv_2"
    assert webhook("conv_1").call_sid == "EL_1"
    assert webhook("conv_1", "CA_1").call_sid == "EL_1"
    assert writer.post("/api/calls/", {"conversation_id": "conv_1"}, "json").status_code == 400
    assert writer.patch("/api/calls/EL_1/", {"conversation_id": "conv_1"}, "json").json()["conversation_id"] == "conv_1"
    assert sorted(Call.objects.get().aliases.values_list("name", flat=True)) == ["CA_1", "conv_2"]


def test_a_patch_leaves_what_others_wrote_since_it_read_the_call(writer, monkeypatch):
    """Also the words that are searched, and the call_sid."""
    call = Call.register(call_sid="CA_1", name_rank=NameRank.PROVIDER, agent_id="A")
    update = registration.update

    def others_first(stale, **fields):
        failure = CallFailure(
            event_time=call.created_at, failure_reason="unreachable", parties=Parties(agent_name="Zoe"), metadata=None
        )
        Call.objects.get().record_failed(failure)
        link(Reference(conversation_id="conv_1", names=(Name("CA_1", NameRank.PROVIDER), Name("EL_9", 4))))
        return update(stale, **fields)

    monkeypatch.setattr(registration, "update", others_first)
    body = {"driver_id": "D", "call_sid": "CA_1"}
    answer = writer.patch("/api/calls/CA_1/", body, "json").json()
    assert (answer["call_sid"], answer["conversation_id"], answer["status"]) == ("EL_9", "conv_1", "failed")
    assert (answer["driver_id"], answer["failure_reason"], answer["agent_name"]) == ("D", "unreachable", "Zoe")
    for word in ("unreachable", "zoe", "conv_1", "EL_9"):
        assert len(writer.get("/api/calls/", {"search": word}).json()["results"]) == 1, word


def test_a_patch_beside_another_linker_answers_the_one_call_that_is_left(writer, monkeypatch):
    """Another request links, merges and renames the call between the read and the write."""
    Call.register(call_sid="EL_1", driver_id="D")
    webhook("conv_1", "CA_1", agent_id="agent_1")
    update = registration.update

    def linked_first(stale, **fields):
        registration.link_conversation(Call.objects.get(call_sid="EL_1"), "conv_1")
        return update(stale, **fields)

    monkeypatch.setattr(registration, "update", linked_first)
    answer = writer.patch("/api/calls/EL_1/", {"conversation_id": "conv_1", "agent_name": "Zoe"}, "json")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["call_sid"], told["agent_id"], told["agent_name"]) == ("EL_1", "agent_1", "Zoe")
    assert Call.objects.get().agent_name == "Zoe"


def test_a_call_that_is_deleted_before_the_patch_is_written_is_404(writer, monkeypatch):
    Call.register(call_sid="EL_1")
    update = registration.update

    def deleted_first(stale, **fields):
        Call.objects.all().delete()
        return update(stale, **fields)

    monkeypatch.setattr(registration, "update", deleted_first)
    assert writer.patch("/api/calls/EL_1/", {"driver_id": "D"}, "json").status_code == 404


def test_what_a_patch_says_of_the_parties_counts_as_registered(writer):
    call = webhook(None, "CA_1", NameRank.INITIATION, agent_id="agent_0")
    assert writer.patch("/api/calls/CA_1/", {"from_number": "+1", "to_number": ""}, "json").status_code == 200
    told = Parties(agent_id="agent_1", from_number="+2", to_number="+3")
    call = Call.objects.get().learn_parties(told, Call.Source.INITIATION)
    assert (call.agent_id, call.from_number, call.to_number) == ("agent_1", "+1", "+3")
