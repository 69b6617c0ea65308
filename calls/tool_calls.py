"""Pair the calls of an agent's tools with their results, from a final transcript that may hold anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool and its result, unchanged. One of the two may be missing."""

    asked: Entry | None
    answered: Entry | None

    @property
    def name(self) -> str:
        names = (part.get("tool_name") for part in (self.asked, self.answered) if part)
        return next((name for name in names if isinstance(name, str) and name), "")

    @property
    def latency_seconds(self) -> float | None:
        latency = self.answered and self.answered.get("tool_latency_secs")
        return float(latency) if isinstance(latency, int | float) and not isinstance(latency, bool) else None


def tool_calls(transcript: list[Any]) -> dict[int, list[ToolCall]]:
    """Return the tool calls by the index of the entry that makes them; a result without a call is in its own entry.

    A call and its result have the same `request_id`. Without one they have the same name, and the first call that has
    no result yet takes it.
    """
    found: defaultdict[int, list[list[Entry | None]]] = defaultdict(list)
    waiting: defaultdict[tuple[str, str], list[list[Entry | None]]] = defaultdict(list)
    for place, entry in enumerate(transcript):
        for asked in _parts(entry, "tool_calls"):
            call: list[Entry | None] = [asked, None]
            found[place].append(call)
            waiting[_key(asked)].append(call)
        for answered in _parts(entry, "tool_results"):
            if free := waiting[_key(answered)]:
                free.pop(0)[1] = answered
            else:
                found[place].append([None, answered])
    return {place: [ToolCall(*call) for call in calls] for place, calls in found.items()}


def _parts(entry: Any, name: str) -> Iterator[Entry]:
    parts = entry.get(name) if isinstance(entry, dict) else None
    yield from (part for part in (parts if isinstance(parts, list) else []) if isinstance(part, dict))


def _key(part: Entry) -> tuple[str, str]:
    request, name = part.get("request_id"), part.get("tool_name")
    if isinstance(request, str) and request:
        return "request", request
    return "name", name if isinstance(name, str) else ""
