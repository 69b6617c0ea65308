"""The access log: who looked at what of which call, once a quarter of an hour; who changed it, always."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from calls import access_log
from calls.models import AccessLogEntry, Call, CallRecording
from calls.registration import link_conversation
from calls.turns import record_turn
from conftest import register_call

LOG = "admin:calls_accesslogentry_changelist"


@pytest.fixture
def call(transactional_db):
    call = register_call()
    record_turn(call, speaker_type="agent", message_text="Hello")
    return call


@pytest.fixture
def boss(transactional_db):
    return get_user_model().objects.create_superuser("boss", password="boss")


@pytest.fixture
def admin(boss):
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture
def restarted():
    """A process that remembers nothing of what was written, as another one or a new one."""
    return access_log._written.clear


def kinds():
    return list(AccessLogEntry.objects.order_by("pk").values_list("kind", flat=True))


def page_of(call):
    return reverse("admin:calls_call_change", args=[call.pk])


def test_what_is_read_over_the_api_is_logged_with_who_and_from_where(site, call, supervisor_token):
    user = get_user_model().objects.get()
    CallRecording.objects.create(call=call, file="a", size_bytes=1, sha256="0" * 64, event_time=timezone.now())
    for part in ("", "transcript/"):
        assert site.api("GET", f"/api/calls/{call.conversation_id}/{part}", supervisor_token).status_code == 200
    page, transcript = AccessLogEntry.objects.order_by("pk")
    assert (page.kind, transcript.kind) == ("page", "transcript")
    assert (page.user_id, page.user_name, page.address) == (user.pk, user.username, "127.0.0.1")
    assert (page.call_id, page.call_sid, page.conversation_id) == (call.pk, call.call_sid, call.conversation_id)


def test_a_list_and_what_is_refused_leave_no_row(site, call, token):
    site.api("GET", "/api/calls/", token)
    assert site.api("GET", "/api/calls/EL_nope/", token).status_code == 404
    assert site.api("GET", f"/api/calls/{call.call_sid}/recording/", token).status_code == 403
    assert kinds() == []


def test_what_is_looked_at_again_has_one_row_whichever_process_shows_it(admin, call, restarted):
    for _ in range(3):
        admin.get(page_of(call))
        restarted()
    assert kinds() == ["page"]
    admin.get(reverse("admin:calls_calltranscription_changelist"))
    admin.get(reverse("admin:calls_calltranscription_change", args=[call.transcriptions.get().pk]))
    assert kinds() == ["page", "transcript"]


def test_after_a_quarter_of_an_hour_there_is_another_row(admin, call, monkeypatch):
    admin.get(page_of(call))
    monkeypatch.setattr(access_log, "ONCE_PER_SECONDS", 0.001)
    admin.get(page_of(call))
    assert kinds() == ["page", "page"]


def test_each_user_and_each_call_has_a_row_of_its_own(admin, call):
    other = Client()
    other.force_login(get_user_model().objects.create_superuser("other"))
    another = register_call()
    for client in (admin, other):
        for one in (call, another):
            client.get(page_of(one))
    assert len(set(AccessLogEntry.objects.values_list("user_name", "call_sid"))) == 4


def test_changes_over_the_api_are_logged_each_time_with_the_names_of_the_fields(site, boss, call):
    token = str(AccessToken.for_user(boss))
    made = site.api("POST", "/api/calls/", token, json={"from_number": "+49300"}).json()
    for _ in range(2):
        site.api("PATCH", f"/api/calls/{call.call_sid}/", token, json={"driver_id": "D", "agent_id": "a"})
    registered, changed, again = AccessLogEntry.objects.order_by("pk")
    assert (registered.kind, registered.call_sid, registered.detail) == ("change", made["call_sid"], "registered")
    assert (changed.kind, changed.call_sid, changed.detail) == ("change", call.call_sid, "driver_id, agent_id")
    assert again.detail == changed.detail
    assert "+49300" not in str(list(AccessLogEntry.objects.values())), "names of fields, no values"
    assert site.api("POST", "/api/calls/", token, json={"call_sid": call.call_sid}).status_code == 400
    assert AccessLogEntry.objects.count() == 3


@pytest.fixture
def broken(monkeypatch):
    """The table of the access log cannot be written."""

    def away(*_, **__):
        raise OperationalError("away")

    monkeypatch.setattr(access_log, "write", away)


def test_without_a_row_nothing_is_shown_and_nothing_changed(broken, site, admin, boss, call):
    token, path = str(AccessToken.for_user(boss)), f"/api/calls/{call.call_sid}/"
    turn = reverse("admin:calls_calltranscription_change", args=[call.transcriptions.get().pk])
    for page in (page_of(call), turn, reverse("admin:calls_calltranscription_changelist")):
        refused = admin.get(page)
        assert (refused.status_code, call.call_sid in refused.text) == (503, False)
    for part in ("", "transcript/"):
        refused = site.api("GET", path + part, token)
        assert (refused.status_code, list(refused.json())) == (503, ["detail"])
    assert site.api("PATCH", path, token, json={"driver_id": "D"}).status_code == 503
    assert site.api("POST", "/api/calls/", token, json={"driver_id": "D"}).status_code == 503
    assert not Call.objects.filter(driver_id="D").exists()


def test_the_log_keeps_names_and_identifiers_when_user_and_call_are_gone(admin, boss, call):
    admin.get(page_of(call))
    Call.objects.all().delete()
    boss.delete()
    entry = AccessLogEntry.objects.get()
    assert (entry.user_name, entry.call_sid) == ("boss", call.call_sid)


def test_from_a_call_to_who_looked_is_one_click(admin, call):
    admin.get(page_of(call))
    text = admin.get(page_of(call)).text
    assert '>boss</span> <span class="soft">Page, from 127.0.0.1<' in text
    url = f"{reverse(LOG)}?q={call.call_sid}"
    assert f'href="{url}"' in text
    assert [row.call_sid for row in admin.get(url).context["cl"].result_list] == [call.call_sid]


def test_who_looked_is_found_under_each_name_of_a_call_and_of_what_became_one_with_it(admin, transactional_db):
    first = Call.register(call_sid="EL_first", driver_id="D")
    second = Call.register(call_sid="CA_second", conversation_id="conv_x", name_rank=Call.NameRank.PROVIDER)
    for call in (first, second):
        admin.get(page_of(call))
    one = link_conversation(first, "conv_x")
    assert Call.objects.count() == 1
    assert admin.get(page_of(one)).text.count('>boss</span> <span class="soft">Page') == 2
    for name in ("EL_first", "conv_x", "CA_second"):
        assert admin.get(reverse(LOG), {"q": name}).context["cl"].result_count == 2


def test_the_log_is_read_and_never_written_by_hand(admin, call):
    admin.get(page_of(call))
    entry = AccessLogEntry.objects.get()
    change = reverse("admin:calls_accesslogentry_change", args=[entry.pk])
    assert admin.get(change).status_code == 200
    assert admin.post(change, {"user_name": "nobody"}).status_code == 403
    assert admin.post(reverse("admin:calls_accesslogentry_delete", args=[entry.pk]), {"post": "yes"}).status_code == 403
    assert kinds() == ["page"], "looking into the log is not logged"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE calls_accesslogentry SET user_name = 'nobody'",
        "DELETE FROM calls_accesslogentry",
        "INSERT INTO calls_accesslogentry SELECT * FROM calls_accesslogentry"
        " ON CONFLICT (id) DO UPDATE SET user_name = 'nobody'",
    ],
)
def test_postgresql_refuses_to_change_the_log_but_in_a_transaction_that_a_purge_marked(
    only_postgresql, admin, call, statement
):
    admin.get(page_of(call))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)
    assert AccessLogEntry.objects.get().user_name == "boss"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL callsite.purge = 'on'")
        cursor.execute(statement)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(statement)
    assert not AccessLogEntry.objects.filter(user_name="boss").exists()
