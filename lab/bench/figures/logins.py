"""Forty strangers try to sign in at once: how much slower do post-call webhooks get?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.bench import data
from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage
from lab.faults.scenarios.logins import STRANGERS, try_password

FIGURE = "logins"
SECONDS = 6.0  # the sign-ins take longer


def measure(stage: Stage) -> None:
    quiet = _post_calls(stage)
    url = stage.subjects["callsite"].http
    with ThreadPoolExecutor(STRANGERS) as threads:
        strangers = [threads.submit(try_password, url, f"stranger-{number}") for number in range(STRANGERS)]
        busy = _post_calls(stage)
        statuses = [stranger.result() for stranger in strangers]
    if not {401} <= set(statuses) <= {401, 503}:
        stage.faults.append(f"strangers who sign in: {sorted(set(statuses))}")
    for subject, result in (("callsite", busy), ("callsite, quiet", quiet)):
        refused = result["errors"] + sum(result["refused"].values())
        stage.samples.add(FIGURE, subject, p50_ms=result["p50_ms"], refused=refused)


def _post_calls(stage: Stage) -> dict[str, Any]:
    first = data.FIRST_POST_CALL + stage.posted_calls
    result = stage.load(
        *("callsite", "ingest", "--kind", "post-call", "--posters", 1, "--warmup", 0, "--seconds", SECONDS),
        *("--first", first, "--calls", data.CALLS - first + 1),
    )
    stage.posted_calls += result["sent"]
    return result


ROWS = (
    Row(
        *("post-call webhook while 40 strangers sign in, p50; rival: quiet", "ms", Key(FIGURE, "callsite", "p50_ms")),
        rival=Key(FIGURE, "callsite, quiet", "p50_ms"),
        targets=(Target("most", 3, "rival"),),
        plotted=False,
    ),
    Row(
        *("the same: not answered 2xx", "webhooks", Key(FIGURE, "callsite", "refused")),
        targets=(Target("most", 0),),
        plotted=False,
    ),
)
