"""One call with a thousand listeners, turns as fast as one poster sends them: deliveries per second."""

from __future__ import annotations

from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage

FIGURE = "fan-out"


def measure(stage: Stage) -> None:
    lengths = stage.lengths
    for subject in stage.order("bare ASGI loop", "callsite", "FastAPI + SQLAlchemy", "plain Channels", "callsite ×2"):
        turns = lengths.fanout_turns if subject != "plain Channels" else max(10, lengths.fanout_turns // 3)
        result = stage.load(subject, "fanout", "--sockets", lengths.sockets, "--calls", 1, "--turns", turns)
        stage.samples.add(
            FIGURE, subject, rate=result["deliveries_per_second"], cpu_us=result["server_cpu_us"],
            missing=result["missing"],
        )  # fmt: skip


def _rate(subject: str) -> Key:
    return Key(FIGURE, subject, "rate")


ROWS = (
    Row(
        *("turns to 1,000 sockets, as fast as it goes", "deliveries/s", _rate("callsite")),
        rival=_rate("FastAPI + SQLAlchemy"),
        limit=_rate("bare ASGI loop"),
        targets=(Target("least", 1.3, "rival"), Target("least", 0.65, "limit")),
    ),
    Row(
        *("the same; rival: plain Channels", "deliveries/s", _rate("callsite")),
        rival=_rate("plain Channels"),
        targets=(Target("least", 7, "rival"),),
    ),
    Row(
        *("turns to 1,000 sockets by two web processes; rival: one", "deliveries/s", _rate("callsite ×2")),
        rival=_rate("callsite"),
        targets=(Target("least", 1.5, "rival"),),
    ),
)
