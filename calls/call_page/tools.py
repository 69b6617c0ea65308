"""A tool call as the call's page shows it: its request and its answer, each cut to a readable length."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from calls.secret_texts import parsed
from calls.tool_calls import ToolCall

SHOWN_CHARACTERS = 4_000  # per part; the raw transcript has all of it


@dataclass(frozen=True, slots=True)
class ShownTool:
    """A tool call on the page. `state`: the text of its badge, "" if it succeeded; `parts`: pairs of title and text."""

    name: str
    latency: str
    state: str
    parts: list[tuple[str, str]]


def shown_tool(tool: ToolCall) -> ShownTool:
    asked, answered = tool.asked or {}, tool.answered or {}
    details = asked.get("tool_details")
    request = {name: part for name, part in details.items() if part} if isinstance(details, dict) else {}
    told = [answered.get(name) for name in ("error_type", "raw_error_message")]
    parts = {
        "Asked": asked.get("params_as_json"),
        "Request": request,
        "Answered": answered.get("result_value"),
        "Outcome": answered.get("result"),
        "Error": ": ".join(text for text in told if isinstance(text, str) and text),
        "Variables": answered.get("dynamic_variable_updates"),
    }
    return ShownTool(
        name=tool.name or "A tool without a name",
        latency="" if tool.latency_seconds is None else f"{tool.latency_seconds:.2f} s",
        state=_state(tool),
        parts=[(title, text) for title, part in parts.items() if (text := readable(part))],
    )


def readable(part: Any) -> str:
    """Return a part as text, cut at SHOWN_CHARACTERS; JSON, also inside a text, is indented. "" for an empty part."""
    if isinstance(part, str):
        inside = parsed(part)
        part = part if inside is None else inside
    if part is None or part in ("", {}, []):
        return ""
    text = part if isinstance(part, str) else json.dumps(part, indent=2, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} … cut here"


def _state(tool: ToolCall) -> str:
    if tool.answered is None:
        return "No answer"
    if tool.answered.get("is_blocked") is True:
        return "Blocked"
    return "Failed" if tool.answered.get("is_error") is True else ""
