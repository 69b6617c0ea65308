"""A limit on the exports that run at once in one process: each holds a browser's connection, often for minutes."""

from __future__ import annotations

import threading
from typing import ClassVar

FOR_ALL, FOR_EACH_USER = 4, 2


class Full(Exception):
    """Too many exports are running. `status` is the HTTP status of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Place:
    """A place for one running export. Making it takes the place or raises Full; `give_back` may be called again."""

    _taken: ClassVar[list[Place]] = []
    _lock = threading.Lock()

    def __init__(self, user_id: int) -> None:
        self.user_id = user_id
        with self._lock:
            if sum(place.user_id == user_id for place in self._taken) >= FOR_EACH_USER:
                raise Full(429, f"You have {FOR_EACH_USER} exports under way. Wait for one to end, or cancel it.")
            if len(self._taken) >= FOR_ALL:
                raise Full(503, f"{FOR_ALL} exports are under way. Try again when one of them has ended.")
            self._taken.append(self)

    def give_back(self) -> None:
        with self._lock:
            if self in self._taken:
                self._taken.remove(self)
