"""docs/asyncapi.yaml is what is really said: every message of a whole session is checked against it, both ways."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import get_args

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from realtime import hub as hub_module
from realtime import messages

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "docs" / "asyncapi.yaml").read_text())
MESSAGES = DOCUMENT["components"]["messages"]


def name_of(reference):
    return reference["$ref"].rpartition("/")[2]


def messages_of(operation):
    """The messages of an operation, by name in its channel, as those of `components`."""
    operation = DOCUMENT["operations"][operation]
    channel = DOCUMENT["channels"][name_of(operation["channel"])]
    names = [name_of(message) for message in operation["messages"]]
    return {name: name_of(channel["messages"][name]) for name in names}


def schema_of(message):
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **MESSAGES[message]["payload"]} | {
        "components": DOCUMENT["components"]
    }


def check(message, operation):
    """Against the schema of the message's type, in the channel that it came through."""
    Draft202012Validator(schema_of(messages_of(operation)[message["type"]])).validate(message)


class Recorded:
    """A socket whose every message, both ways, is checked."""

    def __init__(self, socket, sends, receives):
        self.connection, self.sends, self.receives = socket.connection, sends, receives
        self.heard = []

    async def say(self, **message):
        valid = [Draft202012Validator(schema_of(name)).is_valid(message) for name in messages_of(self.sends).values()]
        assert valid.count(True) == 1, message
        await self.connection.send(json.dumps(message))

    async def hear(self, kind):
        """The next message of this type; whatever comes before it is checked as well."""
        async with asyncio.timeout(10):
            while True:
                self.heard.append(json.loads(await self.connection.recv()))
                check(self.heard[-1], self.receives)
                if self.heard[-1]["type"] == kind:
                    return


async def test_a_session_with_every_message_is_as_the_document_says(site, talk, token, hub, monkeypatch):
    monkeypatch.setattr(hub_module, "HEARTBEAT_SECONDS", 1.0)
    async with site.socket(token) as plain:
        socket = Recorded(plain, "receiveTranscriptions", "sendTranscriptions")
        await socket.hear("heartbeat")
        for value in (None, 1, {"sent_at": 12.5}):
            await socket.say(ping=value)
            await socket.hear("pong")
        await socket.say(authenticate=token)
        await socket.say(subscribe="nobody")
        await socket.hear("error")
        await socket.say(subscribe=talk.call.call_sid, after=3)
        await socket.hear("reset")
        await talk.say("one", speaker="agent")
        await socket.hear("transcription")
        await talk.say("two", speaker="user")
        await socket.hear("heartbeat")
        await socket.say(unsubscribe=talk.call.call_sid)
        await socket.hear("unsubscribe_confirmed")
        await socket.say(subscribe=talk.call.conversation_id, after=None)
        await socket.hear("subscription_confirmed")
        await talk.end()
        await socket.hear("call_completed")
        assert {m["type"] for m in socket.heard} == set(messages_of("sendTranscriptions"))


@pytest.mark.parametrize("sample", ["failure_sip", "transcription_minimal", "transcription_full_featured"])
async def test_results_of_every_kind_are_as_the_document_says(site, talk, token, sample):
    await talk.end(sample)
    async with site.socket(token) as plain:
        socket = Recorded(plain, "receiveTranscriptions", "sendTranscriptions")
        await socket.say(subscribe=talk.call.call_sid, after=0)
        await socket.hear("call_completed")


async def test_the_list_of_calls_is_as_the_document_says(site, talk, token, hub, monkeypatch):
    monkeypatch.setattr(hub_module, "HEARTBEAT_SECONDS", 1.0)
    async with site.socket(token) as plain:
        await plain.connection.close()
    socket_class = type(plain)
    async with socket_class.connect(site.ws_url.removesuffix("/transcriptions"), token) as plain:
        socket = Recorded(plain, "receiveCalls", "sendCalls")
        await socket.hear("snapshot")
        await talk.say("one")
        await socket.hear("call_changed")
        await talk.end()
        await socket.hear("call_changed")
        await socket.say(snapshot=True)
        await socket.hear("snapshot")
        await socket.say(ping=1)
        await socket.hear("pong")
        await socket.hear("heartbeat")
        await plain.send(subscribe="not here")
        await socket.hear("error")
        assert {m["type"] for m in socket.heard} == set(messages_of("sendCalls"))


def frames_of(operation):
    """The frames of the code, by type, that the document has for this socket."""
    both, of_the_list = {"ErrorFrame", "Pong"}, {"Snapshot", "CallChanged", "ListHeartbeat"}
    kinds = messages.Frame.__subclasses__()
    mine = [k for k in kinds if k.__name__ in both or (k.__name__ in of_the_list) == (operation == "sendCalls")]
    return {kind.__struct_config__.tag: kind.__struct_fields__ for kind in mine}


@pytest.mark.parametrize("operation", ["sendTranscriptions", "sendCalls"])
def test_every_frame_in_the_code_is_in_the_document_with_the_same_fields_and_the_other_way_round(operation):
    in_code = {name: {"type", *fields} for name, fields in frames_of(operation).items()}
    documented = {
        name: set(DOCUMENT["components"]["schemas"][name_of(MESSAGES[component]["payload"])]["properties"])
        for name, component in messages_of(operation).items()
    }
    assert in_code == documented
    call_data = DOCUMENT["components"]["schemas"]["CallCompleted"]["properties"]["call_data"]
    assert set(call_data["properties"]) == set(messages.CallData.__struct_fields__) == set(call_data["required"])


def test_every_error_code_in_the_code_is_in_the_document_and_the_other_way_round():
    assert set(DOCUMENT["components"]["schemas"]["ErrorCode"]["enum"]) == set(get_args(messages.ErrorCode))


def test_every_message_that_is_defined_is_used_and_its_examples_are_valid():
    used = {component for operation in DOCUMENT["operations"] for component in messages_of(operation).values()}
    assert used == set(MESSAGES)
    for name, message in MESSAGES.items():
        assert message["examples"], name
        for example in message["examples"]:
            Draft202012Validator(schema_of(name)).validate(example["payload"])


def test_each_schema_is_strict_enough_to_notice_a_field_that_is_missing_or_new():
    for name, message in MESSAGES.items():
        validator = Draft202012Validator(schema_of(name))
        payload = message["examples"][0]["payload"]
        for key in payload:
            less = {k: v for k, v in payload.items() if k != key}
            if key != "after":
                with pytest.raises(ValidationError):
                    validator.validate(less)
        with pytest.raises(ValidationError):
            validator.validate({**payload, "unheard_of": 1})
