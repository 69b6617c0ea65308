"""Finds a browser for the browser tests; `python -m lab.stack.browser` (`make browser`) installs one.

Any Chromium or Chrome of the machine will do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

DEBIAN = ("chromium-headless-shell", "chromium")  # the first has no window, and takes two thirds of the other's CPU
PROGRAMS = (*DEBIAN, "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = (
    (Path("/Applications"), "Google Chrome.app/Contents/MacOS/Google Chrome"),
    (Path.home() / ".cache/ms-playwright", "chromium_headless_shell-*/chrome-headless-shell-*/chrome-headless-shell"),
    (Path.home() / ".cache/ms-playwright", "chromium-*/chrome-linux*/chrome"),
    (Path.home() / "Library/Caches/ms-playwright", "chromium_headless_shell-*/chrome-headless-shell-*/*-shell"),
    (Path.home() / "Library/Caches/ms-playwright", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"),
)


def find_browser() -> Path | None:
    """Return the browser's program; None if the machine has none."""
    for program in PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    for folder, pattern in ELSEWHERE:
        if several := sorted(folder.glob(pattern)):
            return several[-1]
    return None


def main() -> int:
    """Make sure that the browser tests find a browser. Return 0 if they do, 1 if none could be installed."""
    root = os.geteuid() == 0
    if find_browser() is None and root and shutil.which("apt-get"):
        print("browser: installing Debian's chromium", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        _run("apt-get", "-qq", "update", env=environment)
        for package in DEBIAN:
            if find_browser() is None:
                _run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", package, env=environment)
    if find_browser() is None:  # Ubuntu's package is a snap, and not every user is root
        print("browser: installing Playwright's Chromium", flush=True)
        _run(sys.executable, "-m", "playwright", "install", *(["--with-deps"] if root else []), "chromium")
    if browser := find_browser():
        print(f"browser: {browser}")
        return 0
    print("browser: none could be installed. Install Chromium or Chrome by hand, or the browser tests are skipped.")
    return 1


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    """Run a command that may fail: only whether there is a browser afterwards matters."""
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"browser: {' '.join(command)} failed: {done.stderr.strip()[-500:]}")


if __name__ == "__main__":
    sys.exit(main())
