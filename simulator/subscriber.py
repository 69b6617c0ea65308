"""A dispatcher's WebSocket client: it signs in, subscribes to calls, and passes their messages on."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from simulator.server import Server, SimulationError

PATH = "/ws/calls/transcriptions"
CONFIRMED_WITHIN_SECONDS = 5.0
RETRY_SECONDS = 1.0


class Subscriber:
    """A subscriber with one connection for all calls. It reconnects, and asks for the turns after the last it heard.

    `heard` gets each message except heartbeats and pongs, in the subscriber's own thread.
    """

    def __init__(self, server: Server, username: str, password: str, heard: Callable[[dict[str, Any]], None]) -> None:
        self.server, self.heard = server, heard
        self._credentials = {"username": username, "password": password}
        self._positions: dict[str, int] = {}
        self._confirmed: dict[str, Event] = {}
        self._lock = Lock()
        self._connection: ClientConnection | None = None
        self._closed = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def listening(self) -> bool:
        """True while there are calls whose end was not heard."""
        return bool(self._positions)

    def listen_to(self, call_sid: str) -> None:
        """Subscribe to a call, and wait at most CONFIRMED_WITHIN_SECONDS for the server's confirmation."""
        with self._lock:
            confirmed = self._confirmed[call_sid] = Event()
            self._positions[call_sid] = 0
            self._subscribe(call_sid)
        confirmed.wait(CONFIRMED_WITHIN_SECONDS)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
        self._thread.join(5)

    def _subscribe(self, call_sid: str) -> None:
        if self._connection is None:
            return  # `_listen` subscribes when it has connected
        try:
            self._connection.send(json.dumps({"subscribe": call_sid, "after": self._positions[call_sid]}))
        except WebSocketException:
            pass  # `_listen` subscribes after the reconnection

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen(self.server.api("POST", "/api/token/", self._credentials)["access"])
            except (SimulationError, WebSocketException, OSError) as error:
                if not self._closed.wait(RETRY_SECONDS):
                    self.heard({"type": "error", "code": "DISCONNECTED", "message": str(error)})

    def _listen(self, token: str) -> None:
        url = "ws" + self.server.url.removeprefix("http").rstrip("/") + PATH
        headers = {"Authorization": f"Bearer {token}"}
        with connect(url, additional_headers=headers, proxy=None, compression=None) as connection:
            with self._lock:
                self._connection = connection
                for call_sid in list(self._positions):
                    self._subscribe(call_sid)
            try:
                for message in connection:
                    self._take(json.loads(message))
            finally:
                self._connection = None

    def _take(self, message: dict[str, Any]) -> None:
        call_sid = message.get("call_sid", "")
        match message["type"]:
            case "heartbeat" | "pong":
                return
            case "subscription_confirmed":
                self.heard(message)
                if call_sid in self._confirmed:
                    self._confirmed[call_sid].set()
                return
            case "transcription":
                self._positions[call_sid] = message["sequence_number"]
        self.heard(message)
        if message["type"] == "call_completed":
            self._positions.pop(call_sid, None)
            self._confirmed.pop(call_sid, None)
