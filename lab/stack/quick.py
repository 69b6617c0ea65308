"""Pytest plugin (`-p lab.stack.quick` in pytest.ini): selects the tests of `make quick` by their fixtures."""

from __future__ import annotations

import subprocess
from collections.abc import Generator

import pytest

# Tests with these fixtures commit, or need PostgreSQL, a served site or programs of their own.
NOT_QUICK = {"transactional_db", "on_postgresql", "starts_programs"}


@pytest.fixture(scope="session")
def starts_programs() -> None:
    """Mark a test, or a fixture of any scope, that starts programs: servers, commands, browsers."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if NOT_QUICK.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.quick)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a quick test that starts a program, so that the mark stays true."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("quick"):
            patch.setattr(subprocess.Popen, "__init__", _refuse)
        return (yield)


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("A test that starts a program uses the fixture starts_programs; `make quick` leaves it out.")
