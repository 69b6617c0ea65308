"""The stub of ElevenLabs' API says what the real one says: held to the official SDK's types and to captured bodies."""

from __future__ import annotations

import json
import typing

import httpx
import pydantic
import pytest
from elevenlabs import types
from elevenlabs.types import conversation_summary_response_model as summary

from conftest import PAYLOADS
from simulator.server import Server
from simulator.stub.conversations import Behaviour, called
from simulator.stub.errors import FAULTS
from simulator.stub.server import Stub
from simulator.stub.workspace import TOOL_ID, Workspace

DIAL = {"agent_id": "", "agent_phone_number_id": "", "to_number": "+15550100003"}


@pytest.fixture
def stub():
    stub = Stub(Server("http://127.0.0.1:9"), Workspace("http://127.0.0.1:9"), Behaviour(live="none"))
    stub.url = stub.start()
    yield stub
    stub.close()


def get(stub, path, **query):
    headers = {"xi-api-key": stub.workspace.key}
    answer = httpx.get(stub.url + path, params=query, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def dial(stub, provider="twilio", **more):
    ids = {"agent_id": stub.workspace.agent_id, "agent_phone_number_id": stub.workspace.phone_number_id}
    return httpx.post(
        f"{stub.url}/v1/convai/{provider}/outbound-call",
        json={**DIAL, **ids, **more},
        headers={"xi-api-key": stub.workspace.key},
        trust_env=False,
    )


def strictly(model, body):
    """The SDK builds its models without a look at them (`construct`), so pydantic itself validates here."""
    return pydantic.TypeAdapter(model).validate_python(body)


def of_sample(name):
    return json.loads((PAYLOADS / "other" / f"{name}.json").read_text())


def shape(value):
    """The keys of an object, all the way down; of a list its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


@pytest.mark.parametrize("over", [True, False])
def test_a_conversation_and_its_item_in_a_list_are_of_the_sdks_types(stub, over):
    conversation = stub.place(called(stub.workspace.agent_id, stub.behaviour))
    if over:
        conversation.run(stub.callsite, stub.stop)
    detail = get(stub, f"/v1/convai/conversations/{conversation.call.conversation_id}")
    assert strictly(types.GetConversationResponseModel, detail).status == ("done" if over else "initiated")
    page = get(stub, "/v1/convai/conversations")
    strictly(types.GetConversationsPageResponseModel, page)
    assert set(page["conversations"][0]) >= set(of_sample("conversations_list_page")["conversations"][0])
    assert page["conversations"][0]["status"] in typing.get_args(
        typing.get_args(summary.ConversationSummaryResponseModelStatus)[0]
    )


@pytest.mark.parametrize(
    ("provider", "model", "sample"),
    [
        ("twilio", types.TwilioOutboundCallResponse, "outbound_response_ok"),
        ("sip-trunk", types.SipTrunkOutboundCallResponse, "outbound_response_sip_ok"),
        ("exotel", types.ExotelOutboundCallResponse, "outbound_response_ok"),
    ],
)
def test_a_dial_is_answered_as_the_sdk_and_the_samples_say(stub, provider, model, sample):
    answer = dial(stub, provider).json()
    assert strictly(model, answer).success
    assert shape(answer) == shape(of_sample(sample))


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/convai/settings", types.GetConvAiSettingsResponseModel),
        ("/v1/workspace/webhooks", types.WorkspaceWebhookListResponseModel),
        ("/v1/convai/phone-numbers/{phone}", types.GetPhoneNumberTwilioResponseModel),
    ],
)
def test_the_set_up_is_of_the_sdks_types(stub, path, model):
    strictly(model, get(stub, path.format(phone=stub.workspace.phone_number_id)))


def test_the_agent_and_its_tool_have_what_callsite_reads_where_the_sdk_has_it(stub):
    agent = types.GetAgentResponseModel.construct(**get(stub, f"/v1/convai/agents/{stub.workspace.agent_id}"))
    assert agent.conversation_config.agent.prompt.tool_ids == [TOOL_ID]
    assert agent.platform_settings.overrides.enable_conversation_initiation_client_data_from_webhook is True
    tool = get(stub, f"/v1/convai/tools/{TOOL_ID}")["tool_config"]
    schema = types.WebhookToolConfigOutput.construct(**tool).api_schema
    assert schema.request_body_schema.properties["history"].dynamic_variable == "system__conversation_history"


@pytest.mark.parametrize(
    ("fault", "sample"),
    [("401", "error_401_legacy"), ("422", "error_422_validation"), ("429", "error_429_current")],
)
def test_errors_have_the_shapes_of_the_samples(fault, sample):
    assert shape(FAULTS[fault].body) == shape(of_sample(sample))


def test_what_is_missing_in_a_dial_is_named(stub):
    answer = dial(stub, to_number="")
    assert answer.status_code == 422
    assert [item["loc"] for item in answer.json()["detail"]] == [["body", "to_number"]]


def test_another_key_gets_401(stub):
    answer = httpx.get(f"{stub.url}/v1/convai/settings", headers={"xi-api-key": "other"}, trust_env=False)
    assert (answer.status_code, answer.json()) == (401, of_sample("error_401_legacy"))


def test_a_list_can_leave_out_statuses_agents_and_variables(stub):
    running, over = (stub.place(called(stub.workspace.agent_id, stub.behaviour)) for _ in range(2))
    over.run(stub.callsite, stub.stop)
    over.client_data = {"dynamic_variables": {"call_sid": "EL_1"}}

    def ids(**query):
        return [item["conversation_id"] for item in get(stub, "/v1/convai/conversations", **query)["conversations"]]

    assert ids(exclude_statuses="done,failed") == [running.call.conversation_id]
    assert ids(dynamic_variable_params="call_sid:eq:EL_1") == [over.call.conversation_id]
    assert ids(agent_id="agent_other") == []
    assert len(ids(page_size=1)) == 1
