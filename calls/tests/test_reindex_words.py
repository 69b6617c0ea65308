"""`manage.py reindex_words`: calls of an earlier version are found by today's words, however often it is stopped."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from calls.management.commands import reindex_words
from calls.models import Call
from calls.search.words import VERSION
from calls.tests.test_api_list import sids
from calls.turns import record_turn

COUNT = 25


@pytest.fixture
def of_an_earlier_version():
    """Calls with turns and a former name, as an update finds them."""
    for n in range(COUNT):
        call = Call.register(call_sid=f"EL_{n}", driver_id="Straße")
        record_turn(call, speaker_type="driver", message_text=f"配達{n} の変更")
        call.aliases.create(name=f"former-{n}")
    Call.objects.update(search_words=None, words_version=0, words_upto=0, words_behind=False)


def run(**options):
    out = StringIO()
    call_command("reindex_words", stdout=out, **options)
    return out.getvalue()


def unfinished():
    return Call.objects.filter(words_version__lt=VERSION).count()


def test_calls_are_found_by_what_was_said_live_and_by_former_names(reader, db, of_an_earlier_version):
    for text in ("strasse", "変更", "former"):
        assert sids(reader.get("/api/calls/", {"search": text})) == []
    assert f"{COUNT} calls" in run()
    for text in ("STRASSE", "変更", "former"):
        assert len(sids(reader.get("/api/calls/", {"search": text}))) == COUNT
    assert sids(reader.get("/api/calls/", {"search": "配達7 former-7"})) == ["EL_7"]
    assert "0 calls" in run()
    assert f"{COUNT} calls" in run(all=True)


def test_without_calls_there_is_nothing_to_do(db):
    assert "0 calls" in run()


def test_a_run_that_is_stopped_is_taken_up_where_it_was(db, of_an_earlier_version, monkeypatch):
    written = []

    def stop_in_the_second_batch(calls):
        if written:
            raise KeyboardInterrupt
        written.extend(write(calls))
        return written

    write = reindex_words.write_words
    with monkeypatch.context() as patch:
        patch.setattr(reindex_words, "write_words", stop_in_the_second_batch)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert unfinished() == COUNT - len(written) > 0
    assert f"{unfinished()} calls" in run()
    assert unfinished() == 0


def test_two_at_once_write_each_call_once(transactional_db, on_postgresql, of_an_earlier_version):
    def run_in_a_thread(_):
        try:
            return run()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        told = list(threads.map(run_in_a_thread, range(2)))
    assert sum(int(line.split("words of ")[1].split()[0]) for line in told) == COUNT
    assert unfinished() == 0


def test_a_call_that_somebody_holds_is_waited_for(transactional_db, on_postgresql, of_an_earlier_version, monkeypatch):
    monkeypatch.setattr(reindex_words, "PAUSE_SECONDS", 0.05)

    def run_in_a_thread():
        try:
            return run()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            Call.objects.select_for_update().get(call_sid="EL_3")
            running = threads.submit(run_in_a_thread)
            while unfinished() > 1:
                assert not running.done()
            assert Call.objects.get(call_sid="EL_3").words_version == 0
        assert f"{COUNT} calls" in running.result(20)
    assert unfinished() == 0
