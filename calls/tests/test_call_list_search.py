"""The search of the list of calls: which calls it finds, the words it shows of them, and who is noted for it."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from calls import access_log
from calls.call_list import found
from calls.models import AccessLogEntry, Call, CallAlias
from calls.search.unwritten import write_words
from calls.tests.page_cases import START, address, ended, entry, plain
from calls.turns import record_turn
from conftest import staff

LIST = "/admin/calls/call/"
EVIL = "<script>alert(1)</script>\u202e"


@pytest.fixture
def client(db, monkeypatch):
    monkeypatch.setattr(access_log, "_written", {})
    return staff("view_call")


def said(*entries, n=0, **fields):
    call = ended([entry(*one) for one in entries], n=n, **fields)
    write_words(Call.objects.filter(pk=call.pk))
    return call


def shown(client, search, query=""):
    """What stands under each row: texts with the hits in brackets, and their links."""
    response = client.get(LIST, {"q": search})
    assert response.status_code == 200
    rows = re.findall(r'<tr class="found">.*?</tr>', response.text, re.DOTALL)
    items = [item for row in rows for item in re.findall(r"<li>.*?</li>", row, re.DOTALL)]
    texts = [plain(re.sub(r"</?mark>", "|", item)).replace("| ", "|") for item in items]
    return texts, [link for item in items for link in re.findall(r'href="([^"]+)"', item)]


def test_the_words_are_shown_in_their_context_with_a_link_to_the_turn(client):
    call = said(("agent", "Hello, this is Nora.", 0), ("user", "I arrive at the depot at ten, <b>really</b>.", 48))
    texts, links = shown(client, "depot arrive")
    assert texts == ["Driver at 0:48 I |arrive|at the |depot|at ten, &lt;b&gt;really&lt;/b&gt;."]
    assert links == [address(call, "q%3Ddepot%2Barrive") + "#t48"]
    assert 'id="t48"' in client.get(links[0]).text.replace("id=t48", 'id="t48"')


def test_a_live_turn_is_linked_by_the_clock_of_the_calls_page(client):
    """The call was registered a minute before it was answered."""
    call = said(live=[("driver", "a pin, live")], metadata_json={"start_time_unix_secs": START.timestamp() - 60})
    [link] = shown(client, "pin")[1]
    assert link.endswith("#t61")
    assert "id=t61" in client.get(address(call)).text


def test_words_of_several_turns_are_each_shown(client):
    said(("agent", "The first word is alpha.", 1), ("user", "Nothing.", 2), ("agent", "And omega ends it.", 3))
    texts, links = shown(client, "alpha omega")
    assert texts == ["Agent at 0:01 The first word is |alpha|.", "Agent at 0:03 And |omega|ends it."]
    assert [link.rpartition("#")[2] for link in links] == ["t1", "t3"]


def test_one_turn_that_has_all_words_is_better_than_several(client):
    said(("agent", "alpha", 1), ("user", "omega", 2), ("agent", "alpha and omega", 3))
    assert shown(client, "alpha omega")[0] == ["Agent at 0:03 |alpha|and |omega|"]


def test_a_long_turn_is_cut_around_the_words(client):
    said(("user", f"{'before ' * 100}needle {'after ' * 100}".strip(), 1))
    [text] = shown(client, "needle")[0]
    assert re.fullmatch(r"Driver at 0:01 … (before ){5,9}\|needle\|(after )+…", text)


def test_a_turn_without_a_second_and_a_live_turn_are_linked_by_their_names(client, call):
    first = said(("user", "needle in the hay"))
    assert shown(client, "needle")[1] == [address(first, "q%3Dneedle") + "#said-0"]
    record_turn(call, speaker_type="driver", message_text="a pin, live")
    assert shown(client, "pin")[0] == ["Driver live a |pin|, live"]
    assert shown(client, "pin")[1] == [address(call, "q%3Dpin") + "#turn-1"]
    second = ended(n=2, live=[("agent", "the thimble")])
    write_words(Call.objects.filter(pk=second.pk))
    assert shown(client, "thimble")[0] == ["Agent live at 0:01 the |thimble|"]
    for name in ("turn-1", "said-0"):
        link = next(link for link in (*shown(client, "pin")[1], *shown(client, "needle")[1]) if link.endswith(name))
        assert f"id={name}" in client.get(link).text


def test_numbers_names_and_summaries_are_shown_too(client):
    call = said(
        ("agent", "Hello", 1),
        driver_id="DRV_4711",
        from_number="+4915123456789",
        transcript_summary="They spoke of demurrage.",
    )
    CallAlias.objects.create(call=call, name="EL_former")
    write_words(Call.objects.filter(pk=call.pk))
    assert shown(client, "0151 234 567")[0] == ["From |+4915123456789|"]
    assert shown(client, "drv_47")[0] == ["Driver |DRV_4711|"]
    assert shown(client, "demurrage")[0] == ["Summary They spoke of |demurrage|."]
    assert shown(client, "EL_former")[0][0] == "Former name |EL_former|"


def test_hostile_words_are_shown_as_text(client):
    said(("user", f"needle {EVIL}", 1), driver_id=EVIL)
    response = client.get(LIST, {"q": "needle"})
    assert "<script>alert" not in response.text
    assert "\u202e" not in response.text
    assert "<mark>needle</mark> &lt;script&gt;alert(1)&lt;/script&gt;<bdi" in response.text
    for search in (EVIL, '"><script>alert(1)</script>', "' OR 1=1", "\\", "&", "%", "x" * 20_000):
        response = client.get(LIST, {"q": search})
        assert response.status_code == 200
        assert "<script>alert" not in response.text


def test_secrets_are_neither_found_nor_shown(client):
    said(("user", "needle https://crm:S3CRET-9@crm.example/?api_key=S3CRET-9", 1))
    assert "S3CRET" not in client.get(LIST, {"q": "needle"}).text
    assert shown(client, "needle")[0] == ["Driver at 0:01 |needle|https://***@crm.example/?api_key=***"]
    assert client.get(LIST, {"q": "S3CRET"}).context["cl"].result_count == 0


def test_odd_transcripts_are_searched_without_a_fault(client):
    ended(n=0, final={"message": "needle"})
    ended(n=1, final=[None, 7, {"role": ["x"], "message": "needle", "time_in_call_secs": "soon"}, {"message": {}}])
    write_words(Call.objects.all())
    assert shown(client, "needle")[0] == ["Said |needle|"]


def test_without_a_search_nothing_is_read_and_nothing_is_logged(client, django_assert_num_queries):
    said(("user", "needle", 1))
    for query in ({}, {"q": ""}, {"q": "  "}):
        response = client.get(LIST, query)
        assert len(response.context["cl"].result_list) == 1
        assert 'class="found"' not in response.text
    assert not AccessLogEntry.objects.exists()


def test_whoever_is_shown_words_of_a_call_is_in_its_access_log(client):
    said(("user", "needle", 1), n=0, driver_id="D")
    said(("user", "hay", 1), n=1, driver_id="needle")
    client.get(LIST, {"q": "needle"})
    told = list(AccessLogEntry.objects.values_list("call_sid", "kind", "detail", "user_name"))
    assert told == [("EL_0", "transcript", "words that a search found", "staff")]


def test_where_the_log_cannot_be_written_no_words_are_shown(client, monkeypatch):
    said(("user", "needle", 1))

    def fail(*_):
        raise access_log.Error

    monkeypatch.setattr(access_log, "write", fail)
    response = client.get(LIST, {"q": "needle"})
    assert response.status_code == 503
    assert "needle" not in response.text


def test_a_page_reads_a_bounded_number_of_characters(client, monkeypatch):
    for number in range(12):
        said(("user", f"needle {'x' * 100}", 1), n=number, call_start_time=START)
    monkeypatch.setattr(found, "MAX_CHARACTERS", 300)
    assert len(shown(client, "needle")[0]) == 3
    assert timezone.now()
