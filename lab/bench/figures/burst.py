"""A thousand turns by 128 posters at once: counts turns that are lost, repeated, or wrongly numbered.

Deliveries are counted at the sockets, turns and their numbers in the database.
"""

from __future__ import annotations

from lab.bench.samples import Key, Row, Target
from lab.bench.stage import Stage

FIGURE = "burst"
TURNS, POSTERS, CALLS, SOCKETS = 1000, 128, 10, 50


def measure(stage: Stage) -> None:
    before = _turns(stage)
    result = stage.load(
        *(
            "callsite",
            "fanout",
            "--sockets",
            SOCKETS,
            "--calls",
            CALLS,
            "--turns",
            TURNS,
            "--posters",
            POSTERS,
            "--check",
        )
    )
    duplicates, gaps = stage.infrastructure.sql(
        """SELECT coalesce(sum(turns - numbers), 0), coalesce(sum(abs(newest - numbers) + abs(newest - last)), 0)
           FROM (SELECT count(*) AS turns, count(DISTINCT sequence_number) AS numbers, max(sequence_number) AS newest,
                        max(c.last_sequence_number) AS last
                 FROM calls_calltranscription t JOIN calls_call c ON c.id = t.call_id GROUP BY c.id) AS per_call"""
    )[0]
    stage.samples.add(
        FIGURE,
        "callsite",
        unanswered=TURNS - result["answered"] + sum(result["refused"].values()),
        lost_turns=TURNS - (_turns(stage) - before),
        lost_deliveries=TURNS * SOCKETS / CALLS - result["received"],
        duplicates=float(duplicates),
        gaps=float(gaps),
        not_in_order=result["not_in_order"],
    )


def _turns(stage: Stage) -> int:
    count: int = stage.infrastructure.sql("SELECT count(*) FROM calls_calltranscription")[0][0]
    return count


ROWS = tuple(
    Row(
        *(f"1,000 turns by 128 posters: {title}", unit, Key(FIGURE, "callsite", metric)),
        targets=(Target("most", 0),),
        plotted=False,
    )
    for title, unit, metric in (
        ("not answered 2xx", "turns", "unanswered"),
        ("turns missing in the database", "turns", "lost_turns"),
        ("deliveries missing at 50 sockets", "frames", "lost_deliveries"),
        ("frames that are not their call's next, at 50 sockets", "frames", "not_in_order"),
        ("duplicate numbers, all calls of the round", "numbers", "duplicates"),
        ("missing numbers, all calls of the round", "numbers", "gaps"),
    )
)
