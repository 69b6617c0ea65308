"""Pages and API come in a few at a time: whatever they cost, webhooks are answered."""

from __future__ import annotations

import contextlib
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.conf import settings as django_settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call, CallRecording
from calls.threads import Threads
from callsite import page_door
from conftest import payload, until


class Gate:
    """Where logins are held while they hash their password."""

    def __init__(self):
        self.opened = threading.Event()
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def pass_through(self):
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.opened.wait(60)
        with self._lock:
            self.inside -= 1


class GatedHasher(MD5PasswordHasher):
    algorithm = "gated"
    gate: Gate

    def encode(self, password, salt):
        self.gate.pass_through()
        return super().encode(password, salt)


@pytest.fixture
def gate(site, settings):
    """A login holds its thread and its database connection until the gate opens."""
    GatedHasher.gate = Gate()
    settings.PASSWORD_HASHERS = [f"{__name__}.GatedHasher"]
    yield GatedHasher.gate
    GatedHasher.gate.opened.set()
    until(lambda: GatedHasher.gate.inside == 0)


def log_in(site):
    with contextlib.suppress(httpx.HTTPError):
        login = {"username": f"nosuch-{uuid.uuid4()}", "password": "x"}  # five failures of one name would lock it
        return httpx.post(f"{site.url}/api/token/", json=login, timeout=60, trust_env=False)


def test_forty_logins_at_once_cost_no_webhook_and_are_answered_in_their_turn(site, gate, monkeypatch):
    monkeypatch.setattr(page_door, "WAIT_SECONDS", 60)
    with ThreadPoolExecutor(40) as strangers:
        logins = [strangers.submit(log_in, site) for _ in range(40)]
        until(lambda: gate.inside == page_door.PLACES)
        for number in range(20):
            call = Call.register(call_sid=f"EL_{number}", conversation_id=f"conv_{number}")
            assert site.turn(call_sid=call.call_sid, speaker="agent", message="Hello").status_code == 201
            assert site.init(call_sid=f"CA_{number}").status_code == 200
            for name in ("transcription_docs_sample", "audio_small_mp3"):
                assert site.post_call(payload(name, call.conversation_id)).status_code == 200
        for path in ("/healthz", "/readyz", "/metrics", "/static/realtime/live/page.css"):
            assert site.client.get(path).status_code == 200, path
        gate.opened.set()
        assert {login.result().status_code for login in logins} == {401}
    assert gate.most == page_door.PLACES


def test_who_finds_the_queue_full_is_told_to_come_back(site, gate, monkeypatch):
    monkeypatch.setattr(page_door._places, "_queue", 0)
    with ThreadPoolExecutor(page_door.PLACES) as strangers:
        for _ in range(page_door.PLACES):
            strangers.submit(log_in, site)
        until(lambda: gate.inside == page_door.PLACES)
        page, api = site.client.get("/login/"), site.client.get("/api/calls/")
        assert (page.status_code, api.status_code) == (503, 503)
        assert int(page.headers["Retry-After"]) > 0
        assert "Try again" in page.text
        assert "Try again" in api.json()["detail"]
        gate.opened.set()


def test_who_waits_too_long_in_the_queue_is_told_to_come_back(site, gate, monkeypatch):
    monkeypatch.setattr(page_door, "WAIT_SECONDS", 0.2)
    with ThreadPoolExecutor(page_door.PLACES) as strangers:
        for _ in range(page_door.PLACES):
            strangers.submit(log_in, site)
        until(lambda: gate.inside == page_door.PLACES)
        assert site.client.get("/login/").status_code == 503
        gate.opened.set()
    assert site.client.get("/login/").status_code == 200, "the places are free again"


def test_a_request_holds_its_place_until_its_thread_has_ended_though_the_client_is_gone(site, gate):
    body = b'{"username": "nosuch", "password": "x"}'
    head = f"POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    for _ in range(3 * page_door.PLACES):
        with socket.create_connection(("127.0.0.1", site.port)) as client:
            client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
    until(lambda: gate.inside == page_door.PLACES)
    assert site.client.get("/healthz").status_code == 200
    gate.opened.set()
    until(lambda: site.client.get("/login/").status_code == 200)
    until(lambda: gate.inside == 0)
    assert gate.most == page_door.PLACES


def test_clients_that_do_not_read_a_recording_hold_neither_place_nor_connection(site, supervisor_token, call):
    size = 16 * 2**20
    name = default_storage.save(f"recordings/{call.pk}/a.mp3", ContentFile(b"x" * size))
    CallRecording.keep(call, file=name, size_bytes=size, sha256="", event_time=call.created_at)
    head = f"GET /api/calls/{call.call_sid}/recording/ HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {supervisor_token}"
    pool = connection.pool
    before = lent(pool)  # this test's own, and those of threads that keep one
    with contextlib.ExitStack() as clients:
        for _ in range(2 * page_door.PLACES):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", site.port)))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(f"{head}\r\n\r\n".encode())
            assert client.recv(12) == b"HTTP/1.1 200", "the answer has begun"
        assert site.client.get("/login/").status_code == 200
        until(lambda: lent(pool) <= before + 1, seconds=15)  # one may serve something else; the clients would hold 12


def lent(pool):
    stats = pool.get_stats()
    return stats["pool_size"] - stats["pool_available"]


def test_dials_that_wait_for_elevenlabs_hold_no_page_up(site, stub, settings, monkeypatch, django_user_model):
    settings.DIAL_ALLOWED_PREFIXES = ["+1555"]
    headers = {"Authorization": f"Bearer {AccessToken.for_user(django_user_model.objects.create_superuser('boss'))}"}
    asked = {"driver_id": "DRV_1", "to_number": "+15550100003"}
    answers, answer_of, people = threading.Event(), stub._dial, 2 * page_door.PLACES
    monkeypatch.setattr(stub, "_dial", lambda *order: answers.wait(60) and answer_of(*order))
    with ThreadPoolExecutor(people) as threads:
        dials = [
            threads.submit(site.client.post, "/api/calls/dial/", json=asked, headers=headers) for _ in range(people)
        ]
        try:
            until(lambda: page_door._asking._waiting == people - page_door.ASKING_PLACES)
            assert site.client.get("/login/").status_code == 200
        finally:
            answers.set()
        assert {dial.result().status_code for dial in dials} == {201}


def test_a_fault_in_a_page_frees_its_place(site, monkeypatch):
    from django.contrib.auth.views import LoginView

    def fail(*_, **__):
        raise RuntimeError("made by the test")

    with monkeypatch.context() as patch:
        patch.setattr(LoginView, "get", fail)
        for _ in range(2 * page_door.PLACES):
            assert site.client.get("/login/").status_code == 500
    assert site.client.get("/login/").status_code == 200


def test_the_pool_is_larger_than_all_that_may_ask_at_once(site):
    sessions = 1  # Channels looks up the users of sockets in one thread
    pages = page_door.PLACES + page_door.ASKING_PLACES
    asking = pages + sessions + sum(threads.count for threads in Threads.of_this_process)
    assert asking < django_settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"]


def test_any_number_may_ask_at_once_whether_it_is_ready(site):
    with ThreadPoolExecutor(40) as strangers:
        answers = list(strangers.map(lambda _: httpx.get(f"{site.url}/readyz", trust_env=False), range(80)))
    assert {answer.status_code for answer in answers} == {200}
