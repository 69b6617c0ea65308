"""`python -m lab.bench ablate`: compares callsite with itself without one piece, and writes ablation.md."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from lab.bench import data, machine
from lab.bench.ablation.pieces import PIECES, Piece
from lab.bench.ablation.units import UNITS
from lab.bench.report import FOLDER, number
from lab.bench.samples import Key, Samples, Spread
from lab.bench.servers import Infrastructure, Subject
from lab.bench.stage import Lengths, Stage
from lab.stack.webserver import WebServer

LENGTHS = Lengths(2, 0.5, 12, 3, 1000, 0)
WHOLE = "all of it"
HEAD = ("piece", "where", "per", "with it, µs", "without it, µs", "without ÷ with", "time without ÷ with")


def run(rounds: int, chosen: Sequence[str], *, write: bool) -> None:
    pieces = [piece for piece in PIECES if not chosen or piece.name in chosen]
    samples = Samples()
    with Infrastructure() as infrastructure:
        data.prepare_callsite(infrastructure)
        facts = machine.facts(infrastructure)
        stage = Stage(infrastructure, samples, LENGTHS)
        with ExitStack() as stack:
            for name in (WHOLE, *(piece.name for piece in pieces)):
                server = stack.enter_context(_server(infrastructure, name))
                stage.subjects[name] = Subject(server, by_id=False, token=data.listener_token)
            for number_of_round in range(-1, rounds):  # the first round is a warm-up
                began = time.monotonic()
                samples.round = number_of_round
                data.fill_callsite(infrastructure)
                stage.posted_calls = 0
                _measure(stage, pieces)
                print(f"round {number_of_round + 1} of {rounds} in {time.monotonic() - began:.0f} s", flush=True)
        facts["rounds"] = str(rounds)
    for series in samples.series.values():
        series.pop(-1, None)
    lines = [_line(piece, unit, samples) for piece in pieces for unit in piece.of]
    page = _page(lines, facts, stage.faults)
    print(page)
    if write and not chosen:
        (FOLDER / "ablation.md").write_text(page)


def _server(infrastructure: Infrastructure, name: str) -> WebServer:
    if name == WHOLE:
        return infrastructure.callsite()
    settings = infrastructure.settings() | {"BENCH_WITHOUT": name}
    return WebServer(settings, application="lab.bench.ablation.application:application")


def _measure(stage: Stage, pieces: Sequence[Piece]) -> None:
    """Measure pair by pair, so that both of a pair meet the same conditions."""
    for piece in pieces:
        for name in piece.of:
            for subject in stage.order(WHOLE, piece.name):
                cost = UNITS[name].measure(stage, stage.subjects[subject])
                stage.samples.add(
                    f"{name}, {piece.name}", subject,
                    server=cost.server, database=cost.database, both=cost.server + cost.database, waited=cost.waited,
                )  # fmt: skip


def _line(piece: Piece, name: str, samples: Samples) -> tuple[str, ...]:
    series = f"{name}, {piece.name}"

    def of(subject: str) -> str:
        parts = [samples.spread(Key(series, subject, metric)) for metric in ("server", "database")]
        return " + ".join(number(part.median) if part else "?" for part in parts)

    unit = UNITS[name]
    ratios = [
        samples.ratio(Key(series, piece.name, metric), Key(series, WHOLE, metric)) for metric in ("both", "waited")
    ]
    waited = f"{_ratio(ratios[1])} ({unit.waited})" if ratios[1] else ""
    return piece.name, f"`{piece.place}`", unit.title, of(WHOLE), of(piece.name), _ratio(ratios[0]), waited


def _ratio(spread: Spread | None) -> str:
    return f"**{spread.median:.2f}** [{spread.low:.2f}-{spread.high:.2f}]" if spread else ""


def _page(lines: Sequence[tuple[str, ...]], facts: dict[str, str], faults: Sequence[str]) -> str:
    facts.pop("rivals", None)
    page = [
        "# What each piece of speed buys",
        "",
        "Written by `make bench ARGS=ablate`. callsite runs beside itself without one piece: CPU per unit, of the web"
        " process + of PostgreSQL. The two of a pair run one after the other, in alternating order, and ratios are"
        " taken pair by pair: medians, `[lowest-highest]`. Other programs may share the machine, so CPU time is"
        " counted and not the clock's. A piece that buys less than a tenth (a ratio below 1.10) goes out, unless its"
        " docstring says what else it is for.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        "| " + " | ".join(HEAD) + " |",
        "|---|---|---|---:|---:|---:|---:|",
        *("| " + " | ".join(line) + " |" for line in lines),
    ]
    if faults:
        page += ["", "What went wrong on the way:", "", *(f"- {fault}" for fault in faults)]
    return "\n".join(page) + "\n"
