"""How make finds a Python, on machines that are short of one."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from lab.stack.webserver import CHECKOUT

pytestmark = pytest.mark.usefixtures("starts_programs")
NAMES = ("python", "python3", "python3.12", "python3.13", "python3.14")


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def python(path, version, real=sys.executable):
    """A stand-in that says it is `version`, and makes an environment that a look can tell whose it is."""
    major, minor = version.split(".")[:2]
    program(
        path,
        f"""case "$*" in
        --version) echo Python {version};;
        *version_info\\ \\<*) exec {real} -c "import sys; sys.exit(({major}, {minor}) < (3, 12))";;
        *"-m venv"*) mkdir -p .venv/bin; echo {version} > .venv/bin/python;;
        *) exec {real} "$@";;
        esac""",
    )


@pytest.fixture
def machine(tmp_path):
    """A checkout, and a pyenv whose commands refuse, as `.python-version` names a Python that it does not have."""
    for name in ("Makefile", ".python-version"):
        shutil.copy(CHECKOUT / name, tmp_path / name)
    for name in NAMES:
        program(tmp_path / "shims" / name, "echo \"pyenv: version '3.13' is not installed\" >&2; exit 127")
    program(tmp_path / "shims" / "pyenv", f'[ "$1" = root ] && echo {tmp_path}/pyenv')
    return tmp_path


def make(machine):
    command = ["make", "--silent", "-C", machine, ".venv/bin/python"]
    env = {"PATH": f"{machine}/shims:/usr/bin:/bin"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


MANY = ["3.9.18", "3.12.1", "3.13.0", "3.14.0"]


@pytest.mark.parametrize(("has", "takes"), [(["3.12.1"], "3.12.1"), (MANY, "3.13.0"), (["3.14.0"], "3.14.0")])
def test_a_python_that_pyenv_has_is_found_though_its_commands_refuse(machine, has, takes):
    for version in has:
        python(machine / "pyenv" / "versions" / version / "bin" / "python", version)
    made = make(machine)
    assert made.returncode == 0, made.stderr
    assert made.stdout == f"making .venv with Python {takes}\n"
    assert (machine / ".venv" / "bin" / "python").read_text().strip() == takes


def test_one_on_path_comes_first(machine):
    python(machine / "shims" / "python3.12", "3.12.9")
    python(machine / "pyenv" / "versions" / "3.13.0" / "bin" / "python", "3.13.0")
    assert make(machine).stdout == "making .venv with Python 3.12.9\n"


@pytest.mark.parametrize("has", [[], ["3.11.7"]])
def test_without_one_that_is_new_enough_it_says_how_to_get_one(machine, has):
    for version in has:
        python(machine / "pyenv" / "versions" / version / "bin" / "python", version)
    made = make(machine)
    assert made.returncode != 0
    assert "callsite needs Python 3.12 or newer; none is on PATH, nor in pyenv." in made.stderr
    assert "pyenv install 3.13" in made.stderr


def test_without_pyenv_it_is_the_same(machine):
    (machine / "shims" / "pyenv").unlink()
    assert "callsite needs Python 3.12 or newer" in make(machine).stderr
