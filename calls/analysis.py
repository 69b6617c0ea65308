"""Read the judgements and the collected data in ElevenLabs' analysis; malformed parts are skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_VERDICTS = {"success": ("good", "Met"), "failure": ("bad", "Not met")}


@dataclass(frozen=True, slots=True)
class Criterion:
    """An evaluation criterion and its result.

    `state` is the badge: "good", "bad" or "ended" (unknown). `verdict` says the same in words.
    """

    name: str
    state: str
    verdict: str
    rationale: str
    score: str


@dataclass(frozen=True, slots=True)
class Collected:
    name: str
    value: Any
    rationale: str


def criteria(analysis: Any) -> list[Criterion]:
    """Return the evaluation criteria: first those that were not met, then the unknown, then those that were met."""
    found = []
    for name, entry in _entries(analysis, "evaluation_criteria_results"):
        result = entry.get("result")
        state, verdict = _VERDICTS.get(result if isinstance(result, str) else "", ("ended", "Unknown"))
        found.append(Criterion(name, state, verdict, _text(entry.get("rationale")), _score(entry)))
    return sorted(found, key=lambda one: ("bad", "ended", "good").index(one.state))


def collected(analysis: Any) -> list[Collected]:
    return [
        Collected(name, entry.get("value"), _text(entry.get("rationale")))
        for name, entry in _entries(analysis, "data_collection_results")
    ]


def _entries(analysis: Any, name: str) -> list[tuple[str, dict[str, Any]]]:
    entries = analysis.get(name) if isinstance(analysis, dict) else None
    if not isinstance(entries, dict):
        return []
    return [(key, entry) for key, entry in entries.items() if isinstance(entry, dict)]


def _text(text: Any) -> str:
    return text.strip() if isinstance(text, str) else ""


def _score(entry: dict[str, Any]) -> str:
    score, most = entry.get("score"), entry.get("max_score")
    return f"{score:g} of {most:g}" if _is_number(score) and _is_number(most) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
