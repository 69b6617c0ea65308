"""Runs several calls at the same time, each in its own thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Thread

from simulator.server import SimulationError

HANGING_UP_SECONDS = 10.0


def together(tasks: Iterable[Callable[[], None]], stop: Event, hanging_up: Callable[[], None]) -> None:
    """Run all tasks, and return when all are done.

    The first SimulationError of a task, or Ctrl-C, sets `stop`, gives the other tasks time to end their calls, and is
    raised. On Ctrl-C, `hanging_up` is called at once.
    """
    failures: list[SimulationError] = []

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except SimulationError as error:
            failures.append(error)
            stop.set()

    threads = [Thread(target=run, args=(task,), daemon=True) for task in tasks]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        stop.set()
        hanging_up()
        for thread in threads:
            if thread.ident is not None:
                thread.join(HANGING_UP_SECONDS)
        raise
    if failures:
        raise failures[0]
