"""What docker-compose.yml gives a web process, with the `.env` that `make .env` writes; without Docker."""

from __future__ import annotations

import os
import re
from io import StringIO

import httpx
import pytest
import yaml
from dotenv import dotenv_values

from lab.stack.dotenv import CHECKOUT, fresh
from lab.stack.webserver import WebServer

EXAMPLE = (CHECKOUT / ".env.example").read_text()
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


class Missing(Exception):
    """Compose stops with this message."""


def environment(dotenv: str) -> dict[str, str]:
    """Of a web process: `.env`, and what the file sets over it, with the variables that it names filled in."""
    known = {name: value or "" for name, value in dotenv_values(stream=StringIO(dotenv)).items()}

    def fill(match: re.Match[str]) -> str:
        name, otherwise, text = match.groups()
        if not known.get(name) and otherwise == "?":
            raise Missing(text)
        return known.get(name) or (text if otherwise == "-" else "")

    web = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]["web-1"]
    assert web["env_file"] == [{"path": ".env", "required": False}]
    return known | {name: VARIABLE.sub(fill, value) for name, value in web["environment"].items()}


@pytest.mark.parametrize("dotenv", ["", EXAMPLE])
def test_compose_without_a_key_of_ones_own_does_not_start_and_says_what_to_do(dotenv):
    with pytest.raises(Missing, match=r"^run make \.env, or set it in \.env$"):
        environment(dotenv)


@pytest.mark.parametrize("hosts", ["localhost,127.0.0.1", ""])
def test_compose_with_the_first_env_serves_as_in_production_on_this_machine(starts_programs, hosts):
    env = environment(fresh(EXAMPLE).replace("localhost,127.0.0.1", hosts))
    assert env["DATABASE_URL"].startswith("postgres://callsite:callsite@postgres:")
    env |= {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    with WebServer(env) as web, httpx.Client(base_url=web.url, trust_env=False) as client:
        here = {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"}
        assert client.get("/admin/login/", headers=here).status_code == 200
        assert client.get("/static/admin/css/base.css", headers=here).status_code == 200
        missing = client.get("/nothing-here", headers=here)
        assert (missing.status_code, "DEBUG" in missing.text) == (404, False)
        assert client.post("/webhooks/elevenlabs/post-call", content="{}", headers=here).status_code == 401
        assert client.get("/healthz", headers={"Host": "elsewhere.example"}).status_code == 400
        form = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        origins = ("http://127.0.0.1:8000", "http://elsewhere.example")
        posts = [client.post("/admin/login/", data=form, headers=here | {"Origin": origin}) for origin in origins]
        assert [post.status_code == 403 for post in posts] == [False, True]


def test_compose_ends_silent_calls_and_comes_back_after_a_fault():
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    silence = services["silence"]
    assert silence["command"][:3] == ["python", "manage.py", "end_silent_calls"]
    assert int(silence["command"][silence["command"].index("--every") + 1]) <= 3600
    assert (silence["restart"], silence["networks"]) == ("unless-stopped", ["front", "back"])
    assert silence["environment"] == services["web-1"]["environment"]
