"""`make quick` guards what it is there for: where a safeguard is switched off, a named quick test fails."""

from __future__ import annotations

import asyncio
import inspect
import json

import pytest
from django.db import IntegrityError

from calls import redaction
from calls.api.permissions import ModelPermissions
from calls.models import Call, effects
from calls.redaction import _Redaction
from calls.tests import test_api_permissions, test_record_turn, test_redaction
from calls.tests.conftest import api
from calls.turns import _Batch
from callsite.request_body import Budget
from callsite.tests import test_request_body
from webhooks import inbox as webhooks_inbox
from webhooks import payloads, signature, strict_json, tool_payloads
from webhooks.signature import Signature
from webhooks.tests import (
    test_deliveries,
    test_errors,
    test_event_order,
    test_live_turns,
    test_post_call_fields,
    test_signature,
)
from webhooks.tests import test_strict_json as test_json
from webhooks.tests.conftest import call, inbox

__all__ = ["api", "call", "inbox"]  # fixtures of the rooms whose tests are run here
FAILURES = (AssertionError, IntegrityError, pytest.fail.Exception)
take = effects.take_post_call_data


def take_older(call, data):
    call.transcription_time = None
    return take(call, data)


def take_back(call, data):
    call.status = Call.Status.IN_PROGRESS
    return take(call, data)


def mask_nothing(self, kind, value, depth):
    return self.value(value, depth)


WRONG_SECRET = next(case for case in test_signature.VECTORS["cases"] if case["name"] == "wrong secret")
TOO_LONG = {"field": "data.conversation_id", "value": "c" * 256, "details": "data.conversation_id"}
REFUSED = {"raw": b'{"type": "no_such_type"}', "status": 400, "outcome": "rejected"}
SAFEGUARDS = {
    "the signature is compared": (
        (Signature, "confirm", lambda signature, body: None),
        (test_signature.test_the_published_vectors_hold, {"case": WRONG_SECRET}),
    ),
    "a signature ages": (
        (signature, "MAX_AGE_SECONDS", 10**9),
        (test_signature.test_a_signature_is_good_for_thirty_minutes_and_five_ahead, {"seconds": 1802, "good": False}),
    ),
    "what cannot be stored is mended": (
        (strict_json, "_mended", lambda value: value),
        (test_json.test_nul_and_lone_surrogates_are_replaced_in_keys_and_values, {}),
    ),
    "nesting has an end": (
        (strict_json, "_check_depth", lambda value: None),
        (test_json.test_nesting_is_taken_to_a_depth_and_no_further, {}),
    ),
    "numbers are finite": (
        (strict_json, "_decoder", json.JSONDecoder()),
        (test_json.test_a_number_that_cannot_be_kept_is_refused, {"number": "1e999"}),
    ),
    "a required field is asked for by name": (
        (payloads, "required", lambda holder, name, path="": holder.get(name)),
        (
            test_errors.test_a_required_field_that_is_wrong_or_missing_is_named,
            {"field": "data", "value": None, "details": "Missing required field: data"},
        ),
    ),
    "an identifier has a length": (
        (payloads, "identifier", lambda value, name: value),
        (test_errors.test_a_required_field_that_is_wrong_or_missing_is_named, TOO_LONG),
    ),
    "an optional number of the wrong kind is null": (
        (payloads, "number", lambda value: value),
        (
            test_post_call_fields.test_a_number_is_kept_as_sent_and_anything_else_is_null,
            {"field": ("cost", "cost"), "value": True, "wanted": None},
        ),
    ),
    "a speaker is known": (
        (tool_payloads, "SPEAKERS", {"agent": "agent", "user": "driver", "robot": "agent"}),
        (
            test_live_turns.test_a_turn_that_is_wrong_is_refused_with_the_fields_name,
            {"change": {"speaker": "robot"}, "field": "speaker"},
        ),
    ),
    "a repeat is known by its digest": (
        (
            webhooks_inbox,
            "_known",
            lambda new: None,
        ),
        (test_deliveries.test_what_is_not_applied_is_kept_as_well_and_counted_when_it_comes_again, REFUSED),
    ),
    "a turn_id is stored once": (
        (_Batch, "_known_turns", lambda batch: {}),
        (test_record_turn.test_a_turn_id_twice_in_one_batch_is_one_turn, {}),
    ),
    "the newest outcome wins": (
        (effects, "take_post_call_data", take_older),
        (test_event_order.test_a_later_transcription_refreshes_and_an_older_one_changes_nothing, {}),
    ),
    "a completed call stays completed": (
        (effects, "take_post_call_data", take_back),
        (test_event_order.test_a_conversation_that_failed_does_not_take_a_completed_call_back, {}),
    ),
    "secrets are masked by their names": (
        (_Redaction, "named", mask_nothing),
        (test_redaction.test_the_value_of_a_secret_name_is_masked_and_the_name_kept, {"name": "token"}),
    ),
    "callsite's own secrets are masked": (
        (redaction, "OWN_SECRETS", ()),
        (test_redaction.test_callsites_own_secrets_are_masked_wherever_they_stand, {}),
    ),
    "writing needs a permission": (
        (ModelPermissions, "has_permission", lambda *_: True),
        (test_api_permissions.test_writing_needs_its_own_permission, {}),
    ),
    "bodies give their bytes back": (
        (Budget, "give_back", lambda *_: None),
        (test_request_body.test_what_is_read_is_given_back_whatever_happens, {}),
    ),
}


def run(request, test, case):
    fixtures = [name for name in inspect.signature(test).parameters if name not in case]
    done = test(**case, **{name: request.getfixturevalue(name) for name in fixtures})
    if inspect.iscoroutine(done):
        asyncio.run(done)


@pytest.mark.parametrize("safeguard", SAFEGUARDS)
def test_without_a_safeguard_a_quick_test_fails(request, db, monkeypatch, safeguard):
    (target, name, broken), (test, case) = SAFEGUARDS[safeguard]
    with monkeypatch.context() as patch:
        patch.setattr(target, name, broken)
        with pytest.raises(FAILURES):
            run(request, test, case)
