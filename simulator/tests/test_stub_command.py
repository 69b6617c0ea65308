"""`manage.py elevenlabs_stub`: a program that stands in for ElevenLabs until it is told to end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from lab.stack.webserver import CHECKOUT

pytestmark = pytest.mark.usefixtures("starts_programs")


def test_the_command_prints_what_to_put_into_the_env_and_misbehaves_as_it_is_told():
    command = [sys.executable, "manage.py", "elevenlabs_stub", "--port", "0", "--fault", "settings=429x1"]
    env = {**os.environ, "ELEVENLABS_API_KEY": "", "ELEVENLABS_AGENT_ID": "agent_mine"}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        told = dict(re.findall(r"(\w+)=(.+)", "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))))
        assert told["ELEVENLABS_AGENT_ID"] == "agent_mine"
        headers = {"xi-api-key": told["ELEVENLABS_API_KEY"]}
        with httpx.Client(base_url=told["ELEVENLABS_API_URL"], headers=headers, trust_env=False) as client:
            assert [client.get("/v1/convai/settings").status_code for _ in range(2)] == [429, 200]
            assert client.get("/v1/convai/agents/agent_mine").json()["agent_id"] == "agent_mine"
            assert client.get("/v1/convai/settings", headers={"xi-api-key": "other"}).status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_fault_that_it_does_not_know_is_named():
    command = [sys.executable, "manage.py", "elevenlabs_stub", "--fault", "conversations=gremlins"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "gremlins" in done.stderr
    assert "success-false" in done.stderr
