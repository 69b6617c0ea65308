"""The client of ElevenLabs' API, against a real HTTP server that misbehaves."""

from __future__ import annotations

import json
import logging
import socket
import threading

import pytest

from upstream import client as client_module
from upstream.client import Client
from upstream.errors import NoAnswer, NotConfigured, Refused, TimedOut, Unreachable

LIST = "/v1/convai/conversations"


def ended(stub):
    """A conversation that is over, and of which nobody was told."""
    stub.behaviour.live, stub.behaviour.outcome = "none", "never"
    return stub.call_agent().call.conversation_id


def test_the_client_reads_a_conversation_its_recording_and_lists(lonely_stub, client):
    ids = {ended(lonely_stub) for _ in range(3)}
    one = min(ids)
    assert client.conversation(one)["status"] == "done"
    assert client.audio(one)[:2] == b"\xff\xf3"
    first = client.conversations(page_size=2)
    second = client.conversations(page_size=2, cursor=first["next_cursor"])
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert {item["conversation_id"] for page in (first, second) for item in page["conversations"]} == ids


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        ("401", 401, "invalid_api_key", "Invalid API key. Check ELEVENLABS_API_KEY."),
        ("402", 402, "insufficient_credits", "You have no credits left."),
        ("422", 422, "validation_error", "agent_phone_number_id: Field required"),
        ("429", 429, "concurrent_limit_exceeded", "Too many calls at once."),
        ("busy", 429, "system_busy", "The system is busy, please try again later."),
        ("500", 500, "", "Internal server error"),
    ],
)
def test_every_shape_of_an_error_is_read(lonely_stub, client, fault, status, code, message):
    lonely_stub.fail(LIST, fault)
    with pytest.raises(Refused) as refused:
        client.conversations()
    assert (refused.value.status, refused.value.code, str(refused.value)) == (status, code, message)
    assert refused.value.is_busy == (status == 429)
    assert len(lonely_stub.requests) == 1, "nothing is asked twice"


def test_the_wait_that_elevenlabs_asks_for_is_told(lonely_stub, client):
    lonely_stub.fail(LIST, "429")
    with pytest.raises(Refused) as refused:
        client.conversations()
    assert refused.value.retry_after_seconds == 1


def test_no_redirect_is_followed_so_the_key_stays_here(lonely_stub, client):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        location = {"Location": f"http://127.0.0.1:{listener.getsockname()[1]}/"}
        lonely_stub.fail(LIST, "redirect", status=307, headers=location)
        with pytest.raises(Refused, match="ELEVENLABS_API_URL") as refused:
            client.conversations()
        assert refused.value.status == 307
        listener.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    ("fault", "error"), [("hang", TimedOut), ("504", TimedOut), ("drop", NoAnswer), ("garbage", NoAnswer)]
)
def test_an_answer_that_does_not_come_whole_is_told_apart(lonely_stub, client, monkeypatch, fault, error):
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.3)
    lonely_stub.fail(LIST, fault)
    with pytest.raises(error):
        client.conversations()


def test_a_server_that_sends_a_byte_now_and_then_is_left_at_the_bound(monkeypatch):
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 1.0)
    server, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip():
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not over.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(TimedOut):
            Client(f"http://127.0.0.1:{server.getsockname()[1]}", "sk_test").conversations()
    finally:
        over.set()
        thread.join()
        server.close()


def test_a_recording_that_is_cut_short_is_no_recording():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut():
            connection, _ = server.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(NoAnswer, match="broke"):
            Client(f"http://127.0.0.1:{server.getsockname()[1]}", "sk_test").audio("conv_1")
        thread.join()


def test_a_server_that_is_not_there_was_sent_nothing():
    with pytest.raises(Unreachable):
        Client("http://127.0.0.1:9", "sk_test").conversations()


@pytest.mark.parametrize("key", ["", "sk with blank", "sk_ünïcode", "sk\nX-Evil: 1"])
def test_a_key_that_no_request_can_carry_is_named_without_showing_it(key):
    with pytest.raises(NotConfigured) as error:
        Client("https://api.elevenlabs.io", key)
    assert "ELEVENLABS_API_KEY" in str(error.value)
    assert not key or key not in str(error.value)


@pytest.mark.parametrize(
    "url", ["", "api.elevenlabs.io", "ftp://x", "https://user:pw@x", "https://x/?a=b", "https://x:0"]
)
def test_an_address_that_is_none_is_named(url):
    with pytest.raises(NotConfigured, match="ELEVENLABS_API_URL"):
        Client(url, "sk_test")


@pytest.mark.parametrize("url", ["https://x", "https://x/", "https://x/v1", "https://x/v1/"])
def test_the_version_in_the_address_is_none_of_it(url):
    assert Client(url, "sk_test").url == "https://x"


def test_the_key_is_in_one_header_and_nowhere_else(lonely_stub, client, caplog):
    caplog.set_level(logging.DEBUG)
    key = lonely_stub.workspace.key
    body = {"detail": {"status": "invalid_api_key", "message": f"Invalid API key {key}"}}
    lonely_stub.fail(LIST, "401", body=body)
    with pytest.raises(Refused) as refused:
        client.conversations(agent_id="agent_1")
    [headers] = lonely_stub.headers
    assert [name for name, value in headers.items() if key in value] == ["xi-api-key"]
    assert key not in lonely_stub.requests[0][1]
    assert key not in str(refused.value)
    assert caplog.records
    assert key not in json.dumps([record.getMessage() for record in caplog.records])
    assert key not in repr(client)
