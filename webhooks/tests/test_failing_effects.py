"""When the effect fails for real: 500, the delivery kept with its error, nothing half-done, and it can come again."""

from __future__ import annotations

import pytest
from django.db import connection

from calls.models import Call, CallRecording
from conftest import payload
from webhooks.inbox import apply_again
from webhooks.models import WebhookDelivery


@pytest.fixture
def trigger(transactional_db):
    """Make PostgreSQL refuse updates that complete a call, with an error of this class."""

    def refuse(sqlstate):
        with connection.cursor() as cursor:
            cursor.execute(
                f"""CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'refused by the test' USING ERRCODE = '{sqlstate}'; END $$;
                    CREATE OR REPLACE TRIGGER refuse BEFORE UPDATE ON calls_call FOR EACH ROW
                    WHEN (NEW.status = 'completed') EXECUTE FUNCTION refuse()"""
            )

    def allow():
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS refuse ON calls_call")

    refuse.allow = allow
    yield refuse
    allow()


def blocked_storage(settings, tmp_path):
    """A media folder in which nobody can write, root included."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    settings.MEDIA_ROOT = blocked


# data exception, raise_exception, serialisation failure that never ends, deadlock, unique violation
@pytest.mark.parametrize("sqlstate", ["22000", "P0001", "40001", "40P01", "23505"])
def test_an_effect_that_the_database_refuses_leaves_the_error_and_nothing_else(site, call, trigger, sqlstate):
    trigger(sqlstate)
    body = payload("transcription_docs_sample", call.conversation_id)
    response = site.post_call(body)
    assert response.status_code == 500
    assert response.json() == {
        "status": "error",
        "message": "Database error while processing webhook",
        "details": "Database temporarily unavailable",
    }
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, delivery.times_applied, delivery.answer_status) == ("failed", 0, 500)
    assert delivery.error
    call.refresh_from_db()
    assert (call.status, call.metadata_json, call.call_end_time) == ("in_progress", None, None)
    trigger.allow()
    again = site.post_call(body)
    assert (again.status_code, again.json()["call_status"]) == (200, "completed")
    delivery.refresh_from_db()
    assert (delivery.outcome, delivery.error, delivery.times_received) == ("applied", "", 2)


def test_a_storage_that_cannot_be_written_is_an_internal_error_that_heals(site, call, settings, tmp_path):
    good = settings.MEDIA_ROOT
    blocked_storage(settings, tmp_path)
    body = payload("audio_small_mp3", call.conversation_id)
    response = site.post_call(body)
    assert response.status_code == 500
    assert response.json()["message"] == "Internal server error"
    assert "Traceback" not in response.text
    assert str(tmp_path) not in response.text
    delivery = WebhookDelivery.objects.get()
    assert delivery.outcome == "failed"
    assert "Traceback" in delivery.error
    assert not CallRecording.objects.exists()
    settings.MEDIA_ROOT = good
    assert apply_again(delivery).outcome == "applied"
    assert CallRecording.objects.get().call == call
    assert site.post_call(body).status_code == 200


def test_a_recording_whose_row_is_refused_leaves_no_file(site, call, settings):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE calls_callrecording ADD CONSTRAINT refuse CHECK (size_bytes < 0)")
    try:
        assert site.post_call(payload("audio_small_mp3", call.conversation_id)).status_code == 500
        assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []
        assert WebhookDelivery.objects.get().outcome == "failed"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE calls_callrecording DROP CONSTRAINT refuse")


def test_a_lost_race_is_tried_again_and_wins(site, call):
    """The database refuses the first two tries with a deadlock, as it may do to anybody."""
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE SEQUENCE tries;
               CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN IF nextval('tries') <= 2 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
               RETURN NEW; END $$;
               CREATE TRIGGER refuse_twice BEFORE UPDATE ON calls_call FOR EACH ROW EXECUTE FUNCTION refuse_twice()"""
        )
    try:
        assert site.post_call(payload("transcription_docs_sample", call.conversation_id)).status_code == 200
        with connection.cursor() as cursor:
            cursor.execute("SELECT last_value FROM tries")
            assert cursor.fetchone() == (3,)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refuse_twice ON calls_call; DROP FUNCTION refuse_twice; DROP SEQUENCE tries")
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, delivery.times_received, delivery.times_applied) == ("applied", 1, 1)


def test_a_waiting_delivery_that_the_database_refuses_does_not_stop_the_call_from_being_registered(site, trigger):
    site.post_call(payload("transcription_docs_sample", "conv_early"))
    trigger("23505")
    call = Call.register(call_sid="EL_early", conversation_id="conv_early")
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, delivery.times_applied) == ("failed", 0)
    assert "refused by the test" in delivery.error
    trigger.allow()
    assert apply_again(delivery).outcome == "applied"
    call.refresh_from_db()
    assert call.status == "completed"
