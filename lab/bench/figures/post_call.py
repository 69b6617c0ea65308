"""Post-call webhooks per second: the delivery is stored, the call completed, its completion pushed."""

from __future__ import annotations

from lab.bench import data
from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage

FIGURE = "post-call"
POSTERS, BYTES = 16, 20_000


def measure(stage: Stage) -> None:
    for subject in stage.order("callsite", "FastAPI + SQLAlchemy", "callsite ×2"):
        result = stage.load(
            *(subject, "ingest", "--kind", "post-call", "--size", BYTES, "--posters", POSTERS),
            *("--first", data.FIRST_POST_CALL + stage.posted_calls),
            *("--calls", data.CALLS - data.FIRST_POST_CALL - stage.posted_calls + 1),
            *("--seconds", stage.lengths.ingest_seconds, "--warmup", stage.lengths.warmup_seconds),
        )
        stage.posted_calls += result["sent"]  # these calls have ended
        stage.samples.add(FIGURE, subject, rate=result["rate"], p99_ms=result["p99_ms"], cpu_us=result["server_cpu_us"])


ROWS = (
    Row(
        *(f"post-call webhooks of {BYTES // 1000} KB, {POSTERS} posters", "calls/s", Key(FIGURE, "callsite", "rate")),
        rival=Key(FIGURE, "FastAPI + SQLAlchemy", "rate"),
        targets=(Target("least", 4, "rival"),),
    ),
    Row(
        *("the same by two web processes; rival: one", "calls/s", Key(FIGURE, "callsite ×2", "rate")),
        rival=Key(FIGURE, "callsite", "rate"),
        targets=(Target("least", 1.3, "rival"),),
    ),
)
