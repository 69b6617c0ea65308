"""`python -m lab.stack.browser` (`make browser`), with fakes of the programs that install a browser."""

import os
import re
import shutil
from pathlib import Path

import pytest

from lab.stack import browser

FOUND = Path("/somewhere/chromium")


@pytest.fixture
def installing(monkeypatch):
    """Return a function. It takes a pattern of the command that brings a browser, and the user's id.

    It returns the list of the commands that are run.
    """

    def prepare(brings, uid=0):
        run = []

        def find():
            return FOUND if any(re.search(brings, command) for command in run) else None

        monkeypatch.setattr(browser, "find_browser", find)
        monkeypatch.setattr(browser, "_run", lambda *command, env=None: run.append(" ".join(command)))
        monkeypatch.setattr(os, "geteuid", lambda: uid)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
        return run

    return prepare


def test_a_browser_that_is_there_is_named_and_nothing_is_installed(monkeypatch, installing, capsys):
    run = installing("")
    monkeypatch.setattr(browser, "find_browser", lambda: FOUND)
    assert browser.main() == 0
    assert (run, capsys.readouterr().out) == ([], f"browser: {FOUND}\n")


@pytest.mark.parametrize("package", ["chromium-headless-shell", "chromium"])
def test_root_gets_the_first_package_that_the_system_has(installing, package):
    run = installing(f"^apt-get .* {package}$")
    assert browser.main() == 0
    assert run[0] == "apt-get -qq update"
    assert {command.split()[0] for command in run} == {"apt-get"}


@pytest.mark.parametrize(("uid", "options"), [(0, " --with-deps"), (1000, "")])
def test_where_the_system_has_none_playwright_brings_one(installing, uid, options):
    run = installing("playwright", uid)
    assert browser.main() == 0
    assert run[-1].endswith(f"-m playwright install{options} chromium")
    assert any("apt-get" in command for command in run) == (uid == 0)


def test_no_browser_in_the_end_is_an_error_that_says_what_to_do(installing, capsys):
    installing("no such command")
    assert browser.main() == 1
    assert "Install Chromium or Chrome by hand" in capsys.readouterr().out


def test_a_command_that_fails_is_shown_with_its_last_words(starts_programs, capsys):
    browser._run("sh", "-c", "echo no network >&2; exit 3")
    assert capsys.readouterr().out == "browser: sh -c echo no network >&2; exit 3 failed: no network\n"
