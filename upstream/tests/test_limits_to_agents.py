"""Who is limited to agents asks ElevenLabs for their calls alone."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from calls.models import AccessLogEntry, AgentAccess, Call

pytestmark = pytest.mark.usefixtures("allowed")


@pytest.fixture
def ask(site, may):
    token = may("dial_call", "view_call", "change_call")
    AgentAccess.objects.create(user=get_user_model().objects.latest("pk"), agent_id="agent_a")

    def post(path, **body):
        return site.client.post(path, json=body or None, headers={"Authorization": f"Bearer {token}"})

    return post


@pytest.mark.parametrize(("told", "status"), [({}, 400), ({"agent_id": "agent_b"}, 403)])
def test_a_dial_without_an_agent_or_for_another_one_is_refused_and_asks_nobody(stub, ask, told, status):
    answer = ask("/api/calls/dial/", driver_id="DRV_1", to_number="+15550100003", **told)
    assert answer.status_code == status
    assert "agent" in answer.text
    assert (Call.objects.count(), stub.requests) == (0, [])


def test_a_call_of_another_agent_cannot_be_fetched(stub, ask):
    Call.register(call_sid="EL_1", conversation_id="conv_1", agent_id="agent_b")
    assert ask("/api/calls/EL_1/fetch/").status_code == 404
    assert stub.requests == []


def test_a_dial_is_in_the_access_log(stub, ask):
    asked = {"driver_id": "DRV_1", "to_number": "+15550100003", "agent_id": "agent_a"}
    told = ask("/api/calls/dial/", **asked).json()
    entry = AccessLogEntry.objects.get(kind="change")
    assert (entry.detail, entry.call_sid) == ("dialled", told["call_sid"])
