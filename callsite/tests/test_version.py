"""The version stands in `callsite/__init__.py`; what cannot import it says the same."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from callsite import __version__

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_version_is_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize("name", ["docs/asyncapi.yaml", "realtime/static/realtime/package.json"])
def test_a_document_that_cannot_import_the_version_says_the_same(name):
    text = (CHECKOUT / name).read_text()
    document = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)["info"]
    assert document["version"] == __version__


def test_settings_and_pyproject_read_the_version():
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == __version__
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "callsite.__version__"}
