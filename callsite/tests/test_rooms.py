"""A room is named in several files. One that is forgotten in one of them is not tested, typed, built or logged."""

from __future__ import annotations

import configparser
import re
import tomllib

import pytest

from callsite.logs import ROOMS
from lab.stack.webserver import CHECKOUT

pytestmark = pytest.mark.quick
PACKAGES = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")}
TOOLS = {"lab"}  # not deployed


def text(name):
    return (CHECKOUT / name).read_text()


def test_every_room_is_tested():
    pytest_ini = configparser.ConfigParser()
    pytest_ini.read_string(text("pytest.ini"))
    assert {*pytest_ini["pytest"]["testpaths"].split()} == PACKAGES


def test_every_room_is_typed_and_its_imports_and_lines_are_looked_at():
    project = tomllib.loads(text("pyproject.toml"))["tool"]
    assert {*re.search(r"^PACKAGES := (.*)$", text("Makefile"), re.MULTILINE)[1].split()} == PACKAGES
    assert {*project["importlinter"]["root_packages"]} == PACKAGES
    assert {*project["coverage"]["run"]["source"]} == PACKAGES - TOOLS


def test_every_room_is_in_the_image():
    copied = re.findall(r"^COPY (?!--from)(\S+) ", text("Dockerfile"), re.MULTILINE)
    assert sorted(copied) == sorted(re.findall(r"^!(\S+)$", text(".dockerignore"), re.MULTILINE))
    assert {*copied} >= PACKAGES - TOOLS


def test_the_lines_of_every_room_are_at_the_level_that_is_set():
    assert {*ROOMS} == PACKAGES - TOOLS - {"simulator"}


def test_few_files_outside_of_the_accelerators_ask_which_database_it_is():
    rooms = [CHECKOUT / room for room in PACKAGES - TOOLS]
    asking = {
        str(path.relative_to(CHECKOUT))
        for room in rooms
        for path in room.rglob("*.py")
        if not {"tests", "migrations", "postgres", "batching"} & set(path.parts) and ".vendor" in path.read_text()
    }
    assert asking == {
        "callsite/checks.py",  # bounds of PostgreSQL's sessions
        "calls/search/words.py",  # SQLite has no index of words
        "simulator/management/commands/seed_calls.py",  # COPY
        "upstream/alone.py",  # a lock of its own connection
    }


def test_names_of_tests_have_a_subject():
    files = [path for room in PACKAGES for path in (CHECKOUT / room).rglob("test_*.py")]
    named = [name for path in files for name in re.findall(r"def (test_(?:it|they)_\w+)", path.read_text())]
    assert files
    assert named == []
