"""The selection of the tests that `make quick` runs."""

import subprocess

import pytest


def is_quick(request):
    return request.node.get_closest_marker("quick") is not None


def test_a_test_with_a_database_that_is_rolled_back_is_quick(request, db):
    assert is_quick(request)


def test_a_test_that_commits_is_not_quick(request, transactional_db):
    assert not is_quick(request)


def test_a_test_that_starts_programs_is_not_quick(request, starts_programs):
    assert not is_quick(request)
    subprocess.run(["true"], check=True)


def test_a_quick_test_that_starts_a_program_fails_and_is_told_what_to_do():
    with pytest.raises(AssertionError, match="uses the fixture starts_programs"):
        subprocess.run(["true"], check=True)
