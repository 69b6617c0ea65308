"""The OpenAPI document: what it says of answers is so, and making it does not depend on who asks or how often."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.utils import timezone
from drf_spectacular.renderers import OpenApiJsonRenderer
from jsonschema import Draft4Validator, FormatChecker

from calls.api import schema
from calls.models import Call, CallRecording
from calls.outcome import PostCallData
from calls.turns import record_turn

REF = "#/components/"


def resolved(part, document):
    """A part of the document with its references replaced, and null allowed by JSON Schema's own means."""
    if isinstance(part, list):
        return [resolved(one, document) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        kind, name = part["$ref"].removeprefix(REF).split("/")
        return resolved(document["components"][kind][name], document)
    plain = {name: resolved(one, document) for name, one in part.items()}
    return {"anyOf": [plain, {"enum": [None]}]} if plain.pop("nullable", False) else plain


@pytest.fixture(scope="module")
def document():
    document = json.loads(schema.document("en-us", OpenApiJsonRenderer()))
    return resolved(document, document)


def operations(document):
    return [(f"{method} {path}", one) for path, of_path in document["paths"].items() for method, one in of_path.items()]


def errors(value, json_schema):
    return [error.message for error in Draft4Validator(json_schema, format_checker=FormatChecker()).iter_errors(value)]


@pytest.fixture
def calls(db):
    """A call as it is at its beginning, one with everything, and one that failed."""
    Call.register(call_sid="EL_new")
    told = {
        "cost": Decimal("0.5"),
        "cost_usd": Decimal(3),
        "duration_seconds": Decimal("79.5"),
        "call_successful": True,
    }
    call = Call.register(call_sid="EL_ended", conversation_id="conv_1", driver_id="D", direction="inbound")
    record_turn(call, speaker_type="agent", message_text="Hello")
    transcript = [{"role": "agent", "message": "Hello", "time_in_call_secs": 0}, {"role": "user", "message": "Hi"}]
    call.update_post_call_data(
        PostCallData(event_time=timezone.now(), analysis={"a": 1}, metadata={}, final_transcript=transcript, **told)
    )
    call.learn_who_answered("human")
    recording = {"file": "a.mp3", "size_bytes": 1, "sha256": "0" * 64, "event_time": timezone.now()}
    CallRecording.objects.create(call=call, **recording)
    failed = Call.register(call_sid="EL_failed")
    failed.update_post_call_data(PostCallData(event_time=timezone.now(), failed=True))


ASKED = [
    *[("get", "/api/calls/{identifier}/", name, None, 200) for name in ("EL_new", "EL_ended", "EL_failed")],
    *[("get", "/api/calls/{identifier}/transcript/", name, None, 200) for name in ("EL_new", "EL_ended", "EL_failed")],
    ("get", "/api/calls/", "", None, 200),
    ("get", "/api/calls/", "?page_size=1", None, 200),
    ("get", "/api/calls/", "?nosuch=1", None, 400),
    ("get", "/api/calls/", "?status=no&driver_id=%00", None, 400),
    ("get", "/api/calls/", "?cursor=x", None, 404),
    ("get", "/api/calls/{identifier}/", "EL_nowhere", None, 404),
    ("get", "/api/calls/{identifier}/recording/", "EL_new", None, 404),
    ("post", "/api/calls/", "", {}, 201),
    ("post", "/api/calls/", "", {"call_sid": "EL_ended"}, 400),
    ("post", "/api/calls/", "", [], 400),
    ("patch", "/api/calls/{identifier}/", "EL_new", {"driver_id": "E"}, 200),
    ("patch", "/api/calls/{identifier}/", "EL_new", {"status": "failed"}, 400),
    ("post", "/api/token/", "", {"username": "u", "password": "p"}, 401),
    ("post", "/api/token/refresh/", "", {"refresh": "a.b.c"}, 401),
    ("post", "/api/token/refresh/", "", {}, 400),
    ("post", "/api/token/blacklist/", "", {"refresh": "a.b.c"}, 401),
]


@pytest.mark.parametrize(("method", "path", "value", "body", "status"), ASKED)
def test_a_real_answer_is_what_the_document_says(writer, calls, document, method, path, value, body, status):
    url = path.replace("{identifier}", value) if "{" in path else path + value
    answer = getattr(writer, method)(url, body, **({} if method == "get" else {"format": "json"}))
    assert answer.status_code == status, answer.text
    described = document["paths"][path][method]["responses"][str(status)]
    assert errors(answer.json(), described["content"]["application/json"]["schema"]) == []


def test_an_answer_without_a_login_or_a_permission_is_described_too(client, api, calls, document):
    responses = document["paths"]["/api/calls/"]["get"]["responses"]
    for asking, status in ((client, 401), (api("add_call"), 403)):
        answer = asking.get("/api/calls/")
        assert answer.status_code == status
        assert errors(answer.json(), responses[str(status)]["content"]["application/json"]["schema"]) == []


def test_the_validation_bites(document):
    call = document["components"]["schemas"]["Call"]
    assert errors({"cost": "five"}, call)
    assert errors(None, call["properties"]["status"])


def test_each_operation_has_a_summary_a_description_and_the_usual_refusals(document):
    for name, operation in operations(document):
        assert len(operation["summary"]) > 5, name
        assert len(operation["description"]) > 20, name
        assert set(operation["responses"]) >= {"400", "401", "429", "503"}, name
        assert "{identifier}" not in name or {"403", "404"} <= set(operation["responses"]), name
        assert all(
            p.get("description") or p["name"] in ("direction", "status") for p in operation.get("parameters", [])
        )


def test_examples_are_valid_and_there_is_one_for_each_body_and_answer(document):
    for name, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        contents = [
            body["content"]["application/json"] for body in bodies if "application/json" in body.get("content", {})
        ]
        for content in contents:
            examples = [one["value"] for one in content.get("examples", {}).values()] or [content["example"]]
            for example in examples:
                assert errors(example, content["schema"]) == [], name


def test_the_description_of_nothing_is_left_to_the_library(document):
    assert "api.example.org" not in json.dumps(document)


# --- asking for it ------------------------------------------------------------------------------------------


def test_many_may_ask_at_once_in_any_language_and_it_is_made_once_for_each(site, monkeypatch):
    monkeypatch.setattr(schema, "_documents", {})
    made = []
    get_schema = schema.SchemaGenerator.get_schema
    monkeypatch.setattr(schema.SchemaGenerator, "get_schema", lambda *a, **kw: made.append(1) or get_schema(*a, **kw))
    paths = ["/api/schema/", "/api/schema/?format=json", "/api/schema/?format=json&lang=de", "/api/docs/"] * 8
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(site.client.get, paths))
    assert {answer.status_code for answer in answers} == {200}
    assert len(made) == 3


@pytest.mark.parametrize("query", ["version=%00", "version=%0a", "version=1", "lang=%0d%0a", "lang=xx", "urlconf=a"])
def test_what_it_cannot_be_asked_is_refused_in_json(site, query):
    answer = site.client.get(f"/api/schema/?{query}")
    assert (answer.status_code, list(answer.json())) == (400, [query.split("=")[0]])


def test_the_page_of_the_documentation_is_got_and_nothing_else(site):
    assert re.search("swagger", site.client.get("/api/docs/").text)
    assert {site.client.request(method, "/api/docs/").status_code for method in ("OPTIONS", "POST", "PUT")} == {405}
