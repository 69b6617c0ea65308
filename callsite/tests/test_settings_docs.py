"""`.env.example` and docs/settings.md name each setting that is read from the environment, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

CHECKOUT = Path(__file__).resolve().parents[2]


def calls_of(path):
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def read_by_settings():
    """The names in `env.str("NAME", …)` and the like."""
    return [
        call.args[0].value
        for call in calls_of(CHECKOUT / "callsite" / "settings.py")
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.func.attr != "read_env"
    ]


def table_of(section):
    """The names in the first column of the table behind a heading of docs/settings.md."""
    text = (CHECKOUT / "docs" / "settings.md").read_text()
    [part] = [part for part in re.split(r"(?m)^#+ ", text) if part.startswith(f"{section}\n")]
    return re.findall(r"(?m)^\| `(\w+)` \|", part)


def test_each_setting_is_read_once():
    names = read_by_settings()
    assert len(names) == len(set(names)) > 10


def test_the_example_names_each_setting_and_no_other():
    assert set(dotenv_values(CHECKOUT / ".env.example")) == set(read_by_settings())


def test_the_documentation_names_each_setting_once_and_no_other():
    assert sorted(table_of("Settings")) == sorted(read_by_settings())


def test_the_documentation_names_what_compose_reads_besides():
    compose = (CHECKOUT / "docker-compose.yml").read_text()
    variables = {name for name in re.findall(r"\$\{(\w+)", compose) if name not in read_by_settings()}
    assert sorted(table_of("Under docker compose")) == sorted(variables)


@pytest.mark.parametrize("room", ["callsite", "calls", "webhooks", "realtime", "upstream", "simulator"])
def test_no_other_module_reads_the_environment(room):
    """They read `django.conf.settings`. (To hand the whole environment on to a process is something else.)"""
    sources = [path for path in (CHECKOUT / room).rglob("*.py") if "tests" not in path.relative_to(CHECKOUT).parts]
    assert sources
    assert [path for path in sources if re.search(r"\bgetenv\(|environ(\.get\(|\[)", path.read_text())] == []
