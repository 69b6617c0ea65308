"""A hundred calls with a listener each, a hundred turns per second: the time from POST to receipt."""

from __future__ import annotations

from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage

FIGURE = "many calls"
CALLS = TURNS_A_SECOND = 100


def measure(stage: Stage) -> None:
    for subject in stage.order("FastAPI + SQLAlchemy", "callsite"):
        result = stage.load(
            *(subject, "fanout", "--sockets", CALLS, "--calls", CALLS),
            *("--turns", int(TURNS_A_SECOND * stage.lengths.latency_seconds), "--rate", TURNS_A_SECOND),
            *("--posters", 32 if subject == "callsite" else 24),
        )
        stage.samples.add(FIGURE, subject, p50_ms=result["p50_ms"], p99_ms=result["p99_ms"])


ROWS = tuple(
    Row(
        *(f"POST to receipt, 100 calls, 100 turns/s, {name}", "ms", Key(FIGURE, "callsite", f"{name}_ms")),
        rival=Key(FIGURE, "FastAPI + SQLAlchemy", f"{name}_ms"),
        targets=targets,
        plotted=bool(targets),
    )
    for name, targets in (("p50", ()), ("p99", (Target("most", 0.5, "rival"),)))
)
