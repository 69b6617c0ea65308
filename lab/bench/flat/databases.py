"""One database per size, each with a callsite of its own in front, so that sizes are measured in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from lab.bench.servers import Infrastructure
from lab.stack.webserver import CHECKOUT, WebServer

BUSY_CALLS = 1000  # the webhooks' calls, spread evenly over the table
# Calls in progress: searches read their turns.
SPOKEN = """
    UPDATE calls_call SET words_behind = true, words_upto = 0
    WHERE id IN (SELECT id FROM calls_call WHERE status = 'in_progress' ORDER BY id DESC LIMIT 20)
"""
# Rows that the seed lacks: recordings of most calls, and calls without turns.
RECORDED = """
    INSERT INTO calls_callrecording (call_id, file, size_bytes, sha256, event_time, created_at)
    SELECT id, 'recordings/' || id, 1, '', call_end_time, call_end_time
    FROM calls_call WHERE status = 'completed' AND id % 10 < 7
"""
UNHEARD = """
    WITH gone AS (
        DELETE FROM calls_calltranscription WHERE call_id IN (SELECT id FROM calls_call WHERE status = 'failed')
    )
    UPDATE calls_call SET last_sequence_number = 0, final_sequence_number = 0 WHERE status = 'failed'
"""
# The newest tenth is reviewed, so that calls that are not reviewed come after it; one call in ten has a label.
REVIEWED = """
    UPDATE calls_call SET reviewed_at = now(), reviewed_by = 'bench'
    WHERE id > (SELECT max(id) * 9 / 10 FROM calls_call);
    INSERT INTO calls_calllabel (call_id, name)
    SELECT id, CASE WHEN id % 10000 = 0 THEN 'rare' ELSE 'late' END FROM calls_call WHERE id % 10 = 0
"""


@dataclass(frozen=True, slots=True)
class Site:
    """callsite with `calls` calls, and the token and session of a user who may view them."""

    calls: int
    infrastructure: Infrastructure
    server: WebServer
    token: str
    session: str

    @property
    def step(self) -> int:
        """The difference between the numbers of two busy calls."""
        return max(1, self.calls // BUSY_CALLS)

    @property
    def database(self) -> str:
        return database_name(self.calls)

    def started(self, share: float) -> str:
        """Return when the call at this share of the table began, in ISO 8601."""
        number = max(1, min(self.calls, round(self.calls * share)))
        return self.started_at(number)

    def started_at(self, number: int) -> str:
        moment: datetime = self.infrastructure.sql(
            f"SELECT call_start_time FROM calls_call WHERE id = {number}", self.database
        )[0][0]
        return moment.isoformat().replace("+00:00", "Z")

    def make_busy(self) -> None:
        """Undo the ends of the busy calls, so that webhooks of calls in progress can be sent."""
        self.infrastructure.sql(
            "UPDATE calls_call SET status = 'in_progress', final_sequence_number = NULL, call_end_time = NULL,"
            f" transcription_time = NULL WHERE id % {self.step} = 0 OR {self.step} = 1",
            self.database,
        )
        self.infrastructure.sql("VACUUM ANALYZE", self.database)
        self.infrastructure.sql("CHECKPOINT", self.database)


def database_name(calls: int) -> str:
    return f"calls_{calls}"


@contextmanager
def sites(infrastructure: Infrastructure, sizes: list[int], turns: int) -> Iterator[list[Site]]:
    """Fill the databases, then serve them."""
    for calls in sizes:
        infrastructure.sql(f"CREATE DATABASE {database_name(calls)}")
        _manage(infrastructure, calls, "migrate", "--verbosity", "0")
        words = ("seed_calls", "--calls", str(calls), "--turns", str(turns), "--yes-i-mean-it", "--skip-checks")
        print(_manage(infrastructure, calls, *words).strip(), file=sys.stderr, flush=True)
        for more in (SPOKEN, RECORDED, UNHEARD, REVIEWED):
            infrastructure.sql(more, database_name(calls))
        infrastructure.sql("VACUUM ANALYZE", database_name(calls))
    infrastructure.sql("CHECKPOINT")
    with ExitStack() as stack:
        found = []
        for calls in sizes:
            env = environment(infrastructure, calls)
            access = json.loads(_run(env, "-m", "lab.bench.flat.access"))
            server = stack.enter_context(WebServer(env))
            found.append(Site(calls, infrastructure, server, access["token"], access["session"]))
        yield found


def environment(infrastructure: Infrastructure, calls: int) -> dict[str, str]:
    url = infrastructure.database_url(database_name(calls))
    return {**os.environ, **infrastructure.settings(), "DATABASE_URL": url}


def _manage(infrastructure: Infrastructure, calls: int, *words: str) -> str:
    return _run(environment(infrastructure, calls), "manage.py", *words)


def _run(env: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False, timeout=3600
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed:\n{done.stderr[-3000:]}")
    return done.stdout
