"""The memory of an idle subscribed socket, on a server that has just been started."""

from __future__ import annotations

from lab.bench import data
from lab.bench.samples import Key, Row, Target
from lab.bench.servers import Subject
from lab.bench.stage import Stage

FIGURE = "memory"


def measure(stage: Stage) -> None:
    infrastructure = stage.infrastructure
    with infrastructure.callsite() as server:
        subject = Subject(server, by_id=False, token=data.listener_token)
        _measure(stage, "callsite", subject)
    with infrastructure.plain_channels() as program:
        _measure(stage, "plain Channels", Subject(program))
    with infrastructure.bare_asgi() as program:
        _measure(stage, "bare ASGI loop", Subject(program))


def _measure(stage: Stage, name: str, subject: Subject) -> None:
    result = stage.load(subject, "idle", "--sockets", stage.lengths.idle_sockets)
    stage.samples.add(FIGURE, name, kib=result["kib_per_socket"])


ROWS = (
    Row(
        *("memory of an idle socket; rival: plain Channels", "KiB", Key(FIGURE, "callsite", "kib")),
        rival=Key(FIGURE, "plain Channels", "kib"),
        limit=Key(FIGURE, "bare ASGI loop", "kib"),
        targets=(Target("most", 32),),
    ),
)
