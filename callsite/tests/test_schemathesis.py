"""Requests that schemathesis makes of the OpenAPI document: the answers are those that the document promises."""

from __future__ import annotations

import json

import pytest
import schemathesis
from django.contrib.auth.models import Permission
from drf_spectacular.renderers import OpenApiJsonRenderer
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from calls.api.schema import document

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(json.loads(document("en-us", OpenApiJsonRenderer())))
OPERATIONS = {operation.label: operation for operation in (result.ok() for result in SCHEMA.get_all_operations())}
EXAMPLES = 15
ASKS_ELEVENLABS = ["POST /api/calls/{identifier}/fetch/"]  # which has no key here: 503 is right


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_are_those_of_the_schema(site, call, dispatcher, token, caplog, operation, mode):
    dispatcher.user_permissions.add(*Permission.objects.filter(codename__in=("add_call", "change_call")))

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[operation].as_strategy(generation_mode=mode))
    def ask(case):
        if mode is GenerationMode.POSITIVE and "identifier" in case.path_parameters:
            case.path_parameters["identifier"] = call.call_sid
        response = case.call(base_url=site.url, headers={"Authorization": f"Bearer {token}"})
        of_body = [negative_data_rejection] if case.method in ("POST", "PATCH") else []  # an empty filter is none
        checks = CHECKS[1:] if response.status_code == 503 and operation in ASKS_ELEVENLABS else CHECKS
        case.validate_response(response, checks=checks + of_body)

    ask()
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
