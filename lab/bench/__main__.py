"""`python -m lab.bench` compares; `… flat` measures a growing database; `… ablate` what each piece of speed buys.

`--help` lists the options.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from lab.bench import data, machine, report
from lab.bench.ablation import run as ablation
from lab.bench.ablation.pieces import PIECES
from lab.bench.figures import (
    burst,
    coming_in,
    fanout,
    held_row,
    large_bodies,
    latency,
    logins,
    many_calls,
    memory,
    post_call,
    turns,
    waiting_turns,
)
from lab.bench.flat import run as flat
from lab.bench.load.descriptors import raise_limit
from lab.bench.samples import Samples
from lab.bench.servers import RIVALS_PYTHON, Infrastructure
from lab.bench.stage import FULL, QUICK, Stage

FIGURES = {
    "turns": turns,
    "post-call": post_call,
    "fan-out": fanout,
    "latency": latency,
    "many-calls": many_calls,
    "memory": memory,
    "coming-in": coming_in,
    "burst": burst,
    "held-row": held_row,
    "logins": logins,
    "large-bodies": large_bodies,
    "waiting-turns": waiting_turns,
}


def main() -> int:
    command, words = sys.argv[1:2], sys.argv[2:]
    readers = {"flat": flat_arguments, "ablate": ablation_arguments}
    args = readers[command[0]](words) if command and command[0] in readers else arguments()
    if not RIVALS_PYTHON.exists():
        print("The rivals are not installed: run `make bench`.", file=sys.stderr)
        return 1
    raise_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exit, unlike a kill, stops the servers
    if command == ["flat"]:
        flat.run(args.sizes, args.turns, explain=not args.no_explain, write=not args.no_write)
    elif command == ["ablate"]:
        ablation.run(args.rounds, args.only or [], write=not args.no_write)
    else:
        compare(args)
    return 0


def compare(args: argparse.Namespace) -> None:
    """Measure every figure on every subject, round after round; then print and write the table."""
    samples = Samples()
    chosen = args.only or list(FIGURES)
    with Infrastructure() as infrastructure:
        data.prepare(infrastructure)
        facts = machine.facts(infrastructure)
        stage = Stage(infrastructure, samples, QUICK if args.quick else FULL)
        for samples.round in range(args.rounds or (1 if args.quick else 3)):
            with stage.servers():
                for name in chosen:
                    began = time.monotonic()
                    FIGURES[name].measure(stage)
                    say(f"round {samples.round + 1}: {name} in {time.monotonic() - began:.0f} s")
        facts["rounds"] = str(samples.round + 1) + (", quick" if args.quick else "")
    rows = [row for name in chosen for row in FIGURES[name].ROWS]
    print("\n".join(f"{name}: {value}" for name, value in facts.items()), "\n")
    print(report.text(report.lines(rows, samples)))
    for fault in stage.faults:
        print("went wrong:", fault)
    if not args.no_write:
        print("\nwritten to", report.write(rows, samples, facts, stage.faults))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--rounds", type=int, help="3, or 1 with --quick")
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance/ as it is")
    return parser.parse_args()


def flat_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench flat", description="What a growing database does.")
    parser.add_argument("--sizes", type=sizes, default=[1000, 100_000, 1_000_000], help="1000,100000,1000000")
    parser.add_argument("--turns", type=int, default=10, help="a call, on average")
    parser.add_argument("--no-explain", action="store_true", help="no plans of what is not flat")
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance/ as it is")
    return parser.parse_args(words)


def ablation_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench ablate", description="What each piece of speed buys.")
    parser.add_argument("--rounds", type=int, default=5)
    names = [piece.name for piece in PIECES]
    parser.add_argument("--only", nargs="+", choices=names, metavar="PIECE", help="; ".join(names))
    parser.add_argument("--no-write", action="store_true", help="leave docs/performance/ as it is")
    return parser.parse_args(words)


def sizes(text: str) -> list[int]:
    return sorted(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
