"""The stub's HTTP server: the endpoints of ElevenLabs' API that callsite uses, and faults on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from simulator.server import Server
from simulator.stub.conversations import Behaviour, Conversation, called, dialled, in_thread
from simulator.stub.errors import BAD_KEY, FAULTS, Fault, legacy, validation
from simulator.stub.workspace import Workspace

HANG_SECONDS = 120.0
CLOSE_SECONDS = 10.0
REQUIRED = ("agent_id", "agent_phone_number_id", "to_number")
PAGE_SIZE, PAGE_SIZE_MAX = 30, 100


@dataclass
class Stub:
    """A stub of ElevenLabs' API on a port of this machine, which sends callsite the webhooks of its conversations.

    `faults`: each is a part of a path, the fault there, and how many times it is left (None: always).
    """

    callsite: Server
    workspace: Workspace
    behaviour: Behaviour = field(default_factory=Behaviour)
    latency_seconds: float = 0.0
    hang_seconds: float = HANG_SECONDS
    faults: list[tuple[str, Fault, int | None]] = field(default_factory=list)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)  # method, path with query, body
    headers: list[dict[str, str]] = field(default_factory=list)  # of each request
    stop: threading.Event = field(default_factory=threading.Event)
    answers_dial: Callable[[dict[str, Any], str, Behaviour], Conversation] = dialled  # from body, provider

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._http: ThreadingHTTPServer | None = None
        self._lives: list[threading.Thread] = []  # of conversations that go on by themselves

    def start(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Serve in a thread, and return the address. Raises OSError if the port is taken."""
        stub = self

        class Handler(_Handler):
            api = stub

        self._http = ThreadingHTTPServer((host, port), Handler)
        self._http.daemon_threads = True
        in_thread(partial(self._http.serve_forever, poll_interval=0.05))  # how soon close() is heard
        return f"http://{host}:{self._http.server_port}"

    def close(self) -> None:
        """End it and its conversations: none of them posts a webhook afterwards."""
        self.stop.set()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
        for life in self._lives:
            life.join(CLOSE_SECONDS)

    def fail(self, path: str, fault: str, times: int | None = 1, **changes: Any) -> None:
        """Have a fault at paths that contain `path`; `changes` replace fields of the fault."""
        with self._lock:
            self.faults.append((path, replace(FAULTS[fault], **changes), times))

    def place(self, conversation: Conversation) -> Conversation:
        """Add a conversation to those that the API knows, and return it."""
        with self._lock:
            self.conversations[conversation.call.conversation_id] = conversation
        return conversation

    def call_agent(self) -> Conversation:
        """Run a conversation that begins with a driver's call to the agent; return it after its end."""
        conversation = self.place(self.new_conversation())
        conversation.run(self.callsite, self.stop)
        return conversation

    def new_conversation(self) -> Conversation:
        """Return a conversation that will begin with a driver's call to the agent."""
        return called(self.workspace.agent_id, replace(self.behaviour))

    def next_fault(self, path: str) -> Fault | None:
        with self._lock:
            for place, (part, fault, times) in enumerate(self.faults):
                if part in path:
                    if times is not None and times <= 1:
                        del self.faults[place]
                    elif times is not None:
                        self.faults[place] = (part, fault, times - 1)
                    return fault
        return None

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        """Return the status and the content that answer a request with the right key."""
        conversation = self.conversations.get(unquote(path.removeprefix("/v1/convai/conversations/")).split("/")[0])
        if method == "POST" and path.endswith("/outbound-call"):
            return self._dial(path.split("/")[3], body)
        if method != "GET":
            return 405, {"detail": "Method Not Allowed"}
        if path == "/v1/convai/conversations":
            return 200, self._page(query)
        if path.startswith("/v1/convai/conversations/"):
            if conversation is None:
                return 404, legacy("document_not_found", "Document with that id was not found.")
            if path.endswith("/audio"):
                audio = conversation.audio()
                return (200, audio) if audio else (404, legacy("missing_conversation_audio", "There is no audio."))
            return 200, conversation.detail()
        found = self.workspace.read(path)
        return (200, found) if found is not None else (404, legacy("document_not_found", "Not found."))

    def _dial(self, provider: str, body: Any) -> tuple[int, Any]:
        missing = [name for name in REQUIRED if not isinstance(body, dict) or not body.get(name)]
        if missing:
            return 422, validation(*missing)
        if body["agent_id"] != self.workspace.agent_id:
            return 404, legacy("agent_not_found", "Agent with that id was not found.")
        if body["agent_phone_number_id"] != self.workspace.phone_number_id:
            return 404, legacy("phone_number_not_found", "Phone number with that id was not found.")
        conversation = self.place(self.answers_dial(body, provider, replace(self.behaviour)))
        if self.behaviour.overtakes:
            conversation.run(self.callsite, self.stop)
        else:
            self._lives.append(in_thread(lambda: conversation.run(self.callsite, self.stop)))
        name = "sip_call_id" if provider == "sip-trunk" else "callSid"
        ids = {"conversation_id": conversation.call.conversation_id, name: conversation.call.provider_sid}
        return 200, {"success": True, "message": "Call initiated successfully", **ids}

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        with self._lock:
            found = list(self.conversations.values())
        wanted = [one for one in found if _matches(one, query)]
        wanted.sort(key=lambda one: (-one.call.started_at, one.call.conversation_id))  # newest first
        size = min(int(query.get("page_size", [str(PAGE_SIZE)])[0]), PAGE_SIZE_MAX)
        start = int(query.get("cursor", ["0"])[0])
        more = start + size < len(wanted)
        return {
            "conversations": [one.summary() for one in wanted[start : start + size]],
            "has_more": more,
            "next_cursor": str(start + size) if more else None,
        }


def _matches(conversation: Conversation, query: dict[str, list[str]]) -> bool:
    variables = conversation.variables
    conditions = [text.split(":", 2) for text in query.get("dynamic_variable_params", [])]
    excluded = {status for text in query.get("exclude_statuses", []) for status in text.split(",")}
    return (
        query.get("agent_id", [conversation.agent_id])[0] == conversation.agent_id
        and conversation.call.started_at >= int(query.get("call_start_after_unix", ["0"])[0])
        and conversation.status not in excluded
        and all(str(variables.get(name)) == value for name, _, value in conditions)
    )


class _Handler(BaseHTTPRequestHandler):
    """Handles a request: record it, wait, then answer with the fault that its path should have, or as ElevenLabs."""

    protocol_version = "HTTP/1.1"
    api: Stub

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        api, parts = self.api, urlsplit(self.path)
        api.requests.append((self.command, self.path, body))
        api.headers.append(dict(self.headers))
        api.stop.wait(api.latency_seconds)
        if self.headers.get("xi-api-key") != api.workspace.key:
            self._send(BAD_KEY.status, BAD_KEY.body)
            return
        fault = api.next_fault(parts.path)
        if fault is None or fault.acts:
            status, content = api.answer(self.command, parts.path, parse_qs(parts.query), body)
            if fault is None:
                self._send(status, content)
                return
        if fault.status:
            self._send(fault.status, fault.body, fault.headers)
            return
        if fault.acts:
            api.stop.wait(api.hang_seconds)
        self.close_connection = True  # without an answer

    def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        is_json = not isinstance(content, bytes)
        body = json.dumps(content).encode() if is_json else content
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if is_json else "audio/mpeg")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True  # the client did not wait

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class's name)
        """Log nothing: the command prints the events."""
