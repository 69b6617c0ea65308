"""The export as it is sent: what ends it, who waits for whom, and that nobody else pays."""

from __future__ import annotations

import asyncio
import socket
import threading

import httpx
import pytest
from django.db import OperationalError

from calls import access_log
from calls.export import places, selection, stream
from calls.export.places import Place
from calls.models import AccessLogEntry, AgentAccess
from calls.tests.export_cases import EXPORT, column, cookie
from calls.tests.page_cases import ended, entry
from conftest import until


@pytest.mark.usefixtures("pages")
def test_a_file_that_ends_early_says_so_and_the_download_fails(site, user, monkeypatch):
    for n in range(3):
        ended(None, n=n)
    write, written = access_log.write, []

    def fail_later(entries):
        written.append(entries)
        if len(written) == 3:  # the export's own, the first call's, the second call's
            raise OperationalError("made by the test")
        write(entries)

    monkeypatch.setattr(access_log, "write", fail_later)
    got = b""
    with site.client.stream("GET", EXPORT, headers=cookie(user)) as response:
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012
            for part in response.iter_bytes():
                got += part
    text = got.decode()
    assert "EL_2" in text
    assert "EL_1" not in text
    assert text.endswith('"# Export ended early: the database failed. It has 1 of 3 calls."\r\n')
    until(lambda: not Place._taken)


@pytest.mark.usefixtures("pages")
def test_who_loses_the_permission_meanwhile_gets_no_more(site, user, monkeypatch):
    for n in range(3):
        ended(None, n=n)
    page_of, pages = stream.page_of, []

    def then_taken(*arguments):
        page = page_of(*arguments)
        pages.append(page)
        user.user_permissions.clear()
        return page

    monkeypatch.setattr(stream, "page_of", then_taken)
    with pytest.raises(httpx.RemoteProtocolError):
        site.client.get(EXPORT, headers=cookie(user))
    assert len(pages) == 1


@pytest.mark.usefixtures("pages")
def test_who_is_limited_meanwhile_gets_no_more_of_the_other_agents(export, user, monkeypatch):
    for n in range(4):
        ended(None, n=n, agent_id=f"agent_{n % 2}")
    page_of = stream.page_of

    def then_limited(*arguments):
        page = page_of(*arguments)
        AgentAccess.objects.get_or_create(user=user, agent_id="agent_0")
        return page

    monkeypatch.setattr(stream, "page_of", then_limited)
    assert column(export()) == ["EL_3", "EL_2", "EL_0"]


@pytest.mark.usefixtures("pages")
def test_a_call_that_goes_meanwhile_is_left_out(export, monkeypatch):
    calls = [ended(None, n=n) for n in range(3)]
    keys_of = selection.keys_of

    def then_deleted(rows):
        keys = keys_of(rows)
        calls[1].delete()
        return keys

    monkeypatch.setattr("calls.export.admin.keys_of", then_deleted)
    assert column(export()) == ["EL_2", "EL_0"]


def test_so_many_are_under_way_at_once_for_a_user_and_for_all(export, user, monkeypatch):
    mine = [Place(user.pk) for _ in range(places.FOR_EACH_USER)]
    answer = export()
    assert (answer.status_code, "2 exports under way" in answer.text) == (429, True)
    mine.pop().give_back()
    others = [Place(-n) for n in range(1, places.FOR_ALL)]
    answer = export()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    for place in [*mine, *others]:
        place.give_back()
        place.give_back()
    assert export().status_code == 200
    until(lambda: not Place._taken)


@pytest.mark.usefixtures("pages")
def test_a_browser_that_goes_away_ends_the_work(site, user, monkeypatch):
    page_of, pages = stream.page_of, []

    def counted(*arguments):
        pages.append(arguments)
        return page_of(*arguments)

    monkeypatch.setattr(stream, "page_of", counted)
    for n in range(60):
        ended(None, n=n, transcript_summary="word " * 50_000)
    with site.client.stream("GET", EXPORT, headers=cookie(user)) as response:
        assert response.status_code == 200
        parts = response.iter_bytes()
        assert next(parts)
        assert Place._taken
    until(lambda: not Place._taken)
    assert len(pages) < 60


def test_a_browser_that_goes_away_before_the_first_byte_leaves_no_place_taken(site, user, monkeypatch):
    keys_of = selection.keys_of
    began, gone = threading.Event(), threading.Event()

    def slowly(rows):
        began.set()
        assert gone.wait(10)
        return keys_of(rows)

    monkeypatch.setattr("calls.export.admin.keys_of", slowly)
    ended(None)
    with socket.create_connection(("127.0.0.1", site.port)) as browser:
        head = f"GET {EXPORT} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie(user)['Cookie']}\r\n\r\n"
        browser.sendall(head.encode())
        assert began.wait(10)
    gone.set()
    until(lambda: AccessLogEntry.objects.exists())
    until(lambda: not Place._taken)


@pytest.mark.usefixtures("pages")
def test_a_browser_that_takes_nothing_loses_its_place(site, user, monkeypatch):
    monkeypatch.setattr(stream, "STALLED_SECONDS", 0.3)
    for n in range(60):
        ended(None, n=n, transcript_summary="word " * 100_000)
    with socket.create_connection(("127.0.0.1", site.port)) as browser:
        head = f"GET {EXPORT} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie(user)['Cookie']}\r\n\r\n"
        browser.sendall(head.encode())
        until(lambda: Place._taken)
        until(lambda: not Place._taken)
    assert AccessLogEntry.objects.filter(call_id__isnull=False).count() < 60


def test_webhooks_are_taken_in_while_exports_run(site, user, call):
    """The work is done in a thread of its own, and none of the pages' places is held."""
    for n in range(30):
        ended([entry("agent", "word " * 100, n) for n in range(100)], n=n)

    async def exported(client):
        return (await client.get(f"{EXPORT}?rows=turns", headers=headers)).status_code

    async def all_at_once():
        async with httpx.AsyncClient(base_url=site.url, timeout=60, trust_env=False) as client:
            exports = [asyncio.create_task(exported(client)) for _ in range(2)]
            await asyncio.sleep(0.2)
            turns = await asyncio.to_thread(
                lambda: [
                    site.turn(call_sid=call.call_sid, speaker="agent", message=str(n)).status_code for n in range(20)
                ]
            )
            return await asyncio.gather(*exports), turns

    headers = cookie(user)
    exports, turns = asyncio.run(all_at_once())
    assert exports == [200, 200]
    assert set(turns) == {201}
