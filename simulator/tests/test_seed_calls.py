"""`manage.py seed_calls`: what it writes past the verbs is what the verbs would have written."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from calls.models import Call, CallTranscription
from webhooks.models import WebhookDelivery


@pytest.fixture
def seeded(on_postgresql):
    known = Call.register(call_sid="EL_before")
    call_command("seed_calls", calls=200, turns=3, yes_i_mean_it=True, verbosity=0)
    return Call.objects.exclude(pk=known.pk)


def test_calls_are_added_with_turns_in_order_and_an_outcome(seeded):
    assert seeded.count() == 200
    statuses = set(seeded.values_list("status", flat=True))
    assert statuses == {"in_progress", "failed", "completed"}
    for call in seeded.prefetch_related("transcriptions"):
        numbers = [turn.sequence_number for turn in call.transcriptions.all()]
        assert numbers == list(range(1, call.last_sequence_number + 1))
        assert (call.call_sid, call.conversation_id) == (f"CA{call.pk:032}", f"conv_{call.pk}")
        assert (call.final_transcript is not None) == (call.status == "completed")
    assert CallTranscription.objects.count() == sum(seeded.values_list("last_sequence_number", flat=True))
    newest = seeded.latest("pk")
    assert Call.register(call_sid="EL_after").pk == newest.pk + 1


def test_saving_a_call_changes_nothing_of_its_words(seeded):
    words = dict(seeded.values_list("pk", "search_words"))
    assert all(words.values())
    for call in seeded:
        call.save()
    assert dict(seeded.values_list("pk", "search_words")) == words


def test_deliveries_are_kept_for_calls_that_ended_and_a_few_for_none(seeded):
    applied = WebhookDelivery.objects.filter(outcome="applied")
    assert applied.count() == seeded.exclude(status="in_progress").count()
    assert not applied.filter(call=None).exists()
    assert set(WebhookDelivery.objects.filter(call=None).values_list("outcome", flat=True)) <= {
        *("ignored", "rejected", "unmatched", "failed")
    }


def test_the_same_seed_writes_more_calls_and_never_the_same_twice(seeded):
    call_command("seed_calls", calls=10, yes_i_mean_it=True, verbosity=2)
    assert seeded.count() == 210


def test_production_is_not_seeded_by_mistake(on_postgresql, settings):
    settings.DEBUG = False
    with pytest.raises(CommandError, match="--yes-i-mean-it"):
        call_command("seed_calls", calls=1)
    assert not Call.objects.exists()
