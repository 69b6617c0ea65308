"""`search`: whole words, wherever they stand. callsite/tests/test_search.py has all languages and both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from calls.models import Call
from calls.outcome import PostCallData
from calls.search import unwritten
from calls.search.gathering import gather_words
from calls.search.query import FREQUENT
from calls.search.words import words
from calls.tests.test_api_list import sids
from calls.turns import record_turn

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def ended(sid, *said, **more):
    call = Call.register(call_sid=sid, conversation_id=f"conv_01jy-{sid}", driver_id="DRV.7", from_number="+49301234")
    transcript = [{"role": "agent", "message": text} for text in said]
    return call.update_post_call_data(PostCallData(event_time=NOON, final_transcript=transcript, **more))


@pytest.mark.parametrize(
    "text",
    [
        *("demurrage", "DEMURRAGE", "demurr", "charge demurrage", "the  demurr", "demurrage, charge"),
        *("Übergabe", "übergabe", "cold chain", "cold-chain", "gate", "A4/B7", "b7", "hello"),
        *("EL_one", "el_o", "conv_01jy-EL_one", "DRV.7", "+49301234", "49301234", "4930", "agreed"),
    ],
)
def test_a_call_is_found_by_words(reader, db, text):
    said = (
        "Hello.How much is the DEMURRAGE charge?",
        "Übergabe at gate A4/B7, the cold-chain <b>truck</b>",
        "it's \\fine\n",
    )
    ended("EL_one", *said, transcript_summary="They agreed.")
    ended("XX_other", "nothing of it")
    found = sids(reader.get("/api/calls/", {"search": text}))
    assert "EL_one" in found
    assert found == ["EL_one"] or text in ("conv_01jy-EL_one", "DRV.7", "+49301234", "49301234", "4930")


@pytest.mark.parametrize(
    "text",
    ["emurrage", "demurrage xylophone", "demurr charge", "'", "''", "\\", "' | 'x", "!demurrage & x", "%", "*", ":*"],
)
def test_what_is_not_there_is_not_found(reader, db, text):
    ended("EL_one", "the demurrage charge")
    assert sids(reader.get("/api/calls/", {"search": text})) == []


@pytest.mark.parametrize(
    "transcript", [None, [], {}, "text", 5, [None, 5, "x", {"message": None}, {"message": {"a": 1}}, {}]]
)
def test_whatever_a_transcript_is_it_stops_no_webhook(reader, db, transcript):
    call = Call.register(call_sid="EL_odd")
    call.update_post_call_data(PostCallData(event_time=NOON, final_transcript=transcript, transcript_summary="odd one"))
    assert sids(reader.get("/api/calls/?search=odd")) == ["EL_odd"]


def test_of_a_very_long_call_the_beginning_is_searched(reader, on_postgresql):
    words = [f"w{n:06}ä配達の変更" for n in range(300_000)]  # more than a tsvector can hold
    ended("EL_long", " ".join(words))
    assert sids(reader.get("/api/calls/", {"search": words[10_000]})) == ["EL_long"]
    assert sids(reader.get("/api/calls/", {"search": words[-1]})) == []


def test_the_words_of_a_call_are_those_of_its_text_each_once():
    texts = [
        "Grüße, GRÜSSE — straße_weg\x1cto-morrow\u2028x²",
        "x" * 600,
        *(f"İ{n:05d}" for n in range(27_000)),  # the one letter that grows in lower case
    ]
    said = [*texts[:2], None, 7, *texts]
    call = Call(call_sid="EL_1", final_transcript=[{"message": text} for text in said])
    gather_words([call])
    assert call.search_words == sorted({"el", "1", *(word for text in texts for word in words(text))})


def test_a_call_in_progress_is_found_by_what_was_just_said(reader, db):
    call = Call.register(call_sid="EL_now")
    record_turn(call, speaker_type="driver", message_text="The demurrage, please")
    assert sids(reader.get("/api/calls/?search=demurrage")) == ["EL_now"]
    assert sids(reader.get("/api/calls/?search=demurrage&status=completed")) == []


def test_a_search_that_reads_many_turns_writes_their_words_and_the_next_one_reads_none(reader, db, monkeypatch):
    monkeypatch.setattr(unwritten, "MANY", 10)
    spoken, silent = Call.register(call_sid="EL_spoken"), Call.register(call_sid="EL_silent")
    for n in range(11):
        record_turn(spoken, speaker_type="driver", message_text=f"demurrage{n}")
    assert sids(reader.get("/api/calls/?search=demurrage10")) == ["EL_spoken"]
    assert unwritten.unwritten_words() == {}
    assert sids(reader.get("/api/calls/?search=demurrage10 demurrage1")) == ["EL_spoken"]
    record_turn(spoken, speaker_type="agent", message_text="afterwards")
    record_turn(silent, speaker_type="agent", message_text="afterwards")
    assert list(unwritten.unwritten_words().values()) == [{"afterwards"}] * 2
    assert sids(reader.get("/api/calls/?search=demurrage10 after")) == ["EL_spoken"]
    assert sids(reader.get("/api/calls/?search=afterwards")) == ["EL_silent", "EL_spoken"]


def test_calls_in_which_nobody_speaks_are_not_looked_at_for_ever(reader, db, monkeypatch):
    monkeypatch.setattr(unwritten, "MANY", 2)
    calls = [Call.register(call_sid=f"EL_{n}") for n in range(4)]
    Call.objects.filter(pk__in=[call.pk for call in calls[1:]]).update(updated_at=NOON)
    reader.get("/api/calls/?search=demurrage")
    assert [call.pk for call in Call.objects.filter(words_behind=True)] == [calls[0].pk]
    record_turn(calls[3], speaker_type="agent", message_text="demurrage")
    assert sids(reader.get("/api/calls/?search=demurrage")) == ["EL_3"]


def test_a_search_is_answered_where_it_cannot_write(reader, db, monkeypatch):
    def fail(*_):
        raise OperationalError("made by the test")

    monkeypatch.setattr(unwritten, "MANY", 0)
    monkeypatch.setattr(unwritten, "write_words", fail)
    record_turn(Call.register(call_sid="EL_1"), speaker_type="agent", message_text="demurrage")
    assert sids(reader.get("/api/calls/?search=demurrage")) == ["EL_1"]


def test_a_secret_that_was_said_is_found_neither_live_nor_afterwards(reader, db, settings):
    settings.REDACTED_NAMES = ["door_code"]
    text = "Open https://x.example/?door_code=quagmire4711 with Bearer zeppelin.yardarm12345 please"
    call = Call.register(call_sid="EL_1")
    record_turn(call, speaker_type="agent", message_text=text)
    for _ in range(2):
        assert sids(reader.get("/api/calls/?search=door_code")) == sids(reader.get("/api/calls/?search=please"))
        for guess in ("q", "quagmire4711", "zepp", "yardarm12345", "yard"):
            assert sids(reader.get("/api/calls/", {"search": guess})) == [], guess
        call.update_post_call_data(PostCallData(event_time=NOON, final_transcript=[{"role": "agent", "message": text}]))


def test_a_changed_call_is_found_by_its_new_words(reader, db):
    call = Call.register(call_sid="EL_1", driver_id="before")
    call.driver_id = "afterwards"
    call.save(update_fields=["driver_id"])
    assert sids(reader.get("/api/calls/?search=before")) == []
    assert sids(reader.get("/api/calls/?search=afterwards")) == ["EL_1"]


def test_search_narrows_the_other_filters_and_is_walked_by_cursor(reader, db):
    for n in range(5):
        ended(f"EL_{n}", "the pallet", failed=n % 2 == 0)
    page = reader.get("/api/calls/?search=pallet&status=failed&page_size=2")
    assert sids(page) == ["EL_4", "EL_2"]
    assert sids(reader.get(page.json()["next"])) == ["EL_0"]


def test_what_is_frequent_is_found_as_what_is_rare(reader, on_postgresql):
    for n in range(FREQUENT + 1):
        ended(f"EL_{n}", "the pallet" + " and demurrage" * (n == 3))
    assert len(sids(reader.get("/api/calls/?search=pallet"))) == FREQUENT + 1
    assert sids(reader.get("/api/calls/?search=pallet demurrage")) == ["EL_3"]
    with CaptureQueriesContext(connection) as captured:
        reader.get("/api/calls/?search=pallet")
        reader.get("/api/calls/?search=demurrage")
    frequent, rare = [query["sql"] for query in captured if "has_recording" in query["sql"]]
    assert ("ANY (ARRAY(" in frequent, "ANY (ARRAY(" in rare) == (False, True)


def test_words_are_looked_up_in_an_index(on_postgresql):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT id FROM calls_call WHERE search_words @@ 'demurrage'::tsquery")
        assert "call_search" in str(cursor.fetchall())


def test_pages_by_start_are_in_its_order_and_walked_by_cursor(reader, db):
    for n in (3, 1, 4, 1, 5):
        Call.register(call_sid=f"EL_{n}_{Call.objects.count()}", call_start_time=NOON + timedelta(hours=n))
    page = reader.get("/api/calls/?started_before=2025-06-01T17:00:00Z&page_size=2")
    assert sids(page) == ["EL_4_2", "EL_3_0"]
    second = reader.get(page.json()["next"])
    assert sids(second) == ["EL_1_3", "EL_1_1"]
    assert sids(reader.get(second.json()["previous"])) == ["EL_4_2", "EL_3_0"]
