"""`python -m lab.faults`: break real servers, compare what was promised with what happened, print the table."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import itertools
import pkgutil
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from lab.faults import broken, scenarios
from lab.faults.history import Finding
from lab.faults.site import Site, Size
from lab.faults.table import Row, as_markdown, as_text

Scenario = Callable[[Site, Path], Awaitable[list[Row]]]


def all_scenarios() -> dict[str, Scenario]:
    """Return the `run` of each module of lab.faults.scenarios, sorted by the module's `ORDER`."""
    names = [module.name for module in pkgutil.iter_modules(scenarios.__path__)]
    modules = [importlib.import_module(f"lab.faults.scenarios.{name}") for name in names]
    modules.sort(key=lambda module: int(module.ORDER))
    return {module.__name__.rpartition(".")[2]: module.run for module in modules}


def order_of(scenario: Scenario) -> int:
    return int(sys.modules[scenario.__module__].ORDER)


def arguments(known: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.faults", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_true", help="a few minutes (the default)")
    size.add_argument("--long", action="store_true", help="the numbers that are promised; about an hour")
    size.add_argument("--scale", type=float, metavar="N", help="N times the numbers of --long")
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help="only this scenario; repeatable")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--journals", type=Path, metavar="FOLDER", help="keep what senders and subscribers wrote")
    parser.add_argument(
        "--break",
        dest="broken",
        choices=sorted(broken.MECHANISMS),
        default="",
        help="switch a mechanism of callsite off, and see its promise break",
    )
    return parser.parse_args()


async def run(chosen: dict[str, Scenario], size: Size, folder: Path, without: str) -> list[Row]:
    """Run the scenarios in their order. Those with the same number run side by side, because they mostly wait."""
    rows: list[Row] = []
    main_task = asyncio.current_task()
    assert main_task is not None
    # Ctrl-C cancels the task already; SIGTERM has to do the same, so that the servers always stop with the run.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main_task.cancel)
    async with Site(size, folder, broken=without) as site:
        for _, together in itertools.groupby(chosen.items(), key=lambda item: order_of(item[1])):
            of_scenarios = await asyncio.gather(*(one(name, scenario, site) for name, scenario in together))
            rows += [row for of_scenario in of_scenarios for row in of_scenario]
    return rows


async def one(name: str, scenario: Scenario, site: Site) -> list[Row]:
    began_at = time.monotonic()
    try:
        rows = await scenario(site, site.folder / name)
    except Exception as error:  # noqa: BLE001  (the other promises are still to be tried)
        traceback.print_exc()
        broke_off = Finding("broke off", name, f"{type(error).__name__}: {error}")
        rows = [Row(name, "the scenario itself", "broke off", [broke_off])]
    said = "kept" if all(row.kept for row in rows) else "BROKEN"
    print(f"{name}: {said}, {time.monotonic() - began_at:.0f} s", flush=True)
    return rows


def main() -> int:
    known = all_scenarios()
    wanted = arguments(list(known))
    if wanted.list:
        for name, scenario in known.items():
            print(f"{name:<12} {(sys.modules[scenario.__module__].__doc__ or '').splitlines()[0]}")
        return 0
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    began_at = time.monotonic()
    size = Size(1.0 if wanted.long else wanted.scale)
    folder: Path = wanted.journals or Path(tempfile.mkdtemp(prefix="callsite-faults-"))
    chosen = {name: scenario for name, scenario in known.items() if not wanted.only or name in wanted.only}
    try:
        rows = asyncio.run(run(chosen, size, folder, wanted.broken))
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM
    print("\n" + as_text(rows))
    if wanted.markdown:
        wanted.markdown.write_text(as_markdown(rows))
    kept = all(row.kept for row in rows)
    if kept and not wanted.journals:
        shutil.rmtree(folder)
    else:
        print(f"The journals are in {folder}")
    broken_rows = sum(not row.kept for row in rows)
    seconds = time.monotonic() - began_at
    print(f"{len(rows) - broken_rows} of {len(rows)} promises kept, {seconds:.0f} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
