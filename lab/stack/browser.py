"""The browser of the browser tests; `python -m lab.stack.browser` installs it where that is simple.

Any Chromium or Chrome of the machine will do, also the one that `playwright install chromium` fetches.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = (
    (Path("/Applications"), "Google Chrome.app/Contents/MacOS/Google Chrome"),
    (Path.home() / ".cache/ms-playwright", "chromium-*/chrome-linux*/chrome"),
    (Path.home() / "Library/Caches/ms-playwright", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"),
)


def find_browser() -> Path | None:
    """The program to start, None where the machine has none."""
    for program in PROGRAMS:
        if found := shutil.which(program):
            return Path(found)
    for folder, pattern in ELSEWHERE:
        if several := sorted(folder.glob(pattern)):
            return several[-1]
    return None


def main() -> int:
    """Say which browser the tests will use; to have none is an error only in CI, which must skip nothing."""
    if find_browser() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("browser: installing chromium", flush=True)
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", "chromium")
    if browser := find_browser():
        print(f"browser: {browser}")
        return 0
    print("browser: none found, the browser tests are skipped; install Chromium or Chrome to run them")
    return 1 if os.environ.get("CI") == "true" else 0


def _apt_get(*arguments: str) -> None:
    command = ["apt-get", "-qq", *arguments]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"browser: {' '.join(command)} failed: {done.stderr.strip()[-500:]}")


if __name__ == "__main__":
    sys.exit(main())
