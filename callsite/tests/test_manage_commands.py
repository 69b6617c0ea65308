"""`manage.py` on PostgreSQL: a command that is done ends, and the pool of connections has nothing to say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lab.stack.webserver import CHECKOUT

SELECT = "from django.db import connection; connection.cursor().execute('SELECT 1')"
IN_A_THREAD = f"""
from threading import Thread
def select():
    {SELECT}
thread = Thread(target=select)
thread.start()
thread.join()
"""


@pytest.mark.parametrize(
    "code", [f"{SELECT}; kept = connection", IN_A_THREAD, f"{SELECT}; raise SystemExit(0)", "pass"]
)
def test_a_command_ends_when_it_is_done(starts_programs, only_postgresql, code):
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code]
    done = subprocess.run(command, cwd=CHECKOUT, env=os.environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
