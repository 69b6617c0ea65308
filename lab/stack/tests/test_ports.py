"""`python -m lab.stack.ports PORT`, which `make run` runs first."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from lab.stack import ports

CHECKOUT = Path(__file__).resolve().parents[3]


def test_a_free_port_needs_no_word(capsys):
    assert ports.main([str(ports.free_port())]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_is_taken_is_said_in_a_line_with_what_to_do(capsys, host):
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
        assert ports.main([str(port)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"Port {port} is taken")
    assert said.endswith(f"make run PORT={port + 1}\n")


def test_make_run_says_so_before_it_touches_a_database_or_prints_a_login(tmp_path, starts_programs):
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    env["DATABASE_URL"] = f"sqlite:///{tmp_path}/db.sqlite3"
    there = ["--old-file=.venv/.runtime", "--old-file=.env"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["make", "run", f"PORT={port}", "ARGS=--noreload", *there]
        run = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert run.stdout == ""
    assert run.stderr.startswith(f"Port {port} is taken")
    assert not list(tmp_path.iterdir())


def test_a_port_that_was_left_a_moment_ago_can_be_had(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0] as served:
            served.close()  # the side that closes first is the one in TIME_WAIT
            client.recv(1)
    assert ports.main([str(port)]) == 0


def test_any_other_reason_is_said_as_the_system_says_it(capsys, monkeypatch):
    refused = PermissionError(13, "Permission denied")
    monkeypatch.setattr(ports, "bind_error", lambda port: refused)  # root may use every port
    assert ports.main(["80"]) == 1
    assert (
        capsys.readouterr().err
        == "Port 80 cannot be used: Permission denied. Choose another port: make run PORT=8000\n"
    )


@pytest.mark.parametrize("wrong", [[], [""], ["0"], ["65536"], ["8000 "], ["x"], ["-1"], ["²"], ["9" * 5000]])
def test_what_is_no_port_is_said(capsys, wrong):
    assert ports.main(wrong) == 1
    assert "is not a port (1 to 65535)" in capsys.readouterr().err
