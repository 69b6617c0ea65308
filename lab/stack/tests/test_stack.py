"""`python -m lab.stack`, run as from a shell."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.stack.ports import is_open

pytestmark = pytest.mark.usefixtures("starts_programs")
CHECKOUT = Path(__file__).resolve().parents[3]
PRINT_URLS = "import os, sys; print(os.environ['DATABASE_URL'], os.environ['REDIS_URL']); sys.exit(7)"
WAITING_TEST = """
import time
import pytest

@pytest.fixture
def server():
    yield
    print("taken down", flush=True)

def test_that_waits(server):
    print("waiting", flush=True)
    time.sleep(60)
"""
WAIT = "import time; print('waiting', flush=True); time.sleep(60)"


def stack(*command, **env):
    """Start `python -m lab.stack -- COMMAND` with this environment; None unsets a variable."""
    return subprocess.Popen(
        [sys.executable, "-m", "lab.stack", "--", *command],
        env={name: value for name, value in {**os.environ, **env}.items() if value is not None},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_stack_starts_what_is_missing_and_exits_with_the_commands_code():
    with stack(sys.executable, "-c", PRINT_URLS, DATABASE_URL="sqlite://:memory:", REDIS_URL=None) as process:
        said, urls = process.communicate(timeout=60)[0].splitlines()
    assert process.returncode == 7
    assert "PostgreSQL" not in said
    assert "Redis" in said
    assert urls.startswith("sqlite://:memory: redis://127.0.0.1:")


def test_the_stack_takes_everything_down_when_it_is_terminated():
    with stack(sys.executable, "-c", WAIT, DATABASE_URL=None, REDIS_URL=None) as process:
        said = process.stdout.readline()
        assert "PostgreSQL from" in said
        assert process.stdout.readline() == "waiting\n"
        ports = [int(part.split()[0].rstrip(",")) for part in said.split("on port ")[1:]]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert len(ports) == 2
    assert not any(is_open(port) for port in ports)


def test_a_terminated_run_of_tests_takes_down_what_its_fixtures_started(tmp_path):
    (tmp_path / "test_waiting.py").write_text(WAITING_TEST)
    pytest = [sys.executable, "-m", "pytest", "--config-file=pytest.ini", "--capture=no", "conftest.py", str(tmp_path)]
    with stack(*pytest, DATABASE_URL="sqlite://:memory:", REDIS_URL="redis://127.0.0.1:1") as process:
        while process.stdout.readline() != "waiting\n":
            assert process.poll() is None
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[0]
    assert "taken down" in said
    assert "KeyboardInterrupt" in said
    assert process.returncode == 2


def test_the_stack_says_what_it_cannot_run():
    there = {"DATABASE_URL": "sqlite://:memory:", "REDIS_URL": "redis://127.0.0.1:1"}
    with stack("no-such-command", **there) as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 127
    assert "cannot run no-such-command" in output


def test_a_signal_before_the_command_runs_is_not_lost():
    with stack(sys.executable, "-c", WAIT, DATABASE_URL=None, REDIS_URL=None) as process:
        time.sleep(0.6)  # by now Python has started, but PostgreSQL has not
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in {128 + signal.SIGTERM, -signal.SIGTERM}
