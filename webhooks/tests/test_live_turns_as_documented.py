"""What README and docs/live-turns.md give to copy does what they say."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory
from elevenlabs.types.tool_request_model import ToolRequestModel

from calls.models import Call
from conftest import TOOL_SECRET

CHECKOUT = Path(__file__).resolve().parents[2]
SPOKEN = [("agent", "Hello!"), ("user", "Hi."), ("agent", "Where are you?")]
HISTORY = {
    "x-elevenlabs-history": True,
    "entries": [
        *({"role": role, "message": message} for role, message in SPOKEN),
        {"role": "agent", "tool_requests": [{"tool_name": "live_transcript", "params_as_json": {}}]},
        {"role": "tool", "tool_results": [{"tool_name": "live_transcript", "result_value": "hidden"}]},
    ],
}
# What ElevenLabs knows of a conversation while it runs, by the names that tools may use.
SYSTEM_VARIABLES = {
    "system__conversation_id": "conv_documented",
    "system__agent_id": "agent_documented",
    "system__conversation_history": json.dumps(HISTORY),
}


def blocks(document, language):
    """The code blocks of a language, without the indentation of the list that they stand in."""
    text = (CHECKOUT / document).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


@pytest.fixture
def tool():
    (config,) = [json.loads(code)["tool_config"] for code in blocks("README.md", "json") if "tool_config" in code]
    return config


def stored(call):
    turns = call.transcriptions.order_by("sequence_number").values_list("speaker_type", "message_text")
    return [("agent" if speaker == "agent" else "user", text) for speaker, text in turns]


def run(tool, site):
    """Call the tool as ElevenLabs would, in a conversation that is under way."""
    api = tool["api_schema"]
    properties = api["request_body_schema"]["properties"]
    body = {name: SYSTEM_VARIABLES[value["dynamic_variable"]] for name, value in properties.items()}
    return httpx.request(
        api["method"],
        api["url"].replace("https://YOUR-HOST", site.url),
        json=body,
        headers=dict.fromkeys(api["request_headers"], f"Bearer {TOOL_SECRET}"),
        trust_env=False,
    )


def test_the_tool_of_the_readme_sends_what_callsite_stores(site, transactional_db, tool):
    call = Call.register(call_sid="EL_documented", conversation_id="conv_documented")
    response = run(tool, site)
    assert (response.status_code, response.json()["stored"]) == (200, 3)
    assert run(tool, site).json()["stored"] == 0
    assert stored(call) == SPOKEN


def test_the_tool_of_the_readme_tells_which_agent_it_is(site, transactional_db, tool):
    call = Call.register(call_sid="EL_documented", conversation_id="conv_documented")
    run(tool, site)
    call.refresh_from_db()
    assert call.agent_id == "agent_documented"


def test_the_tool_of_the_readme_is_silent_and_leaves_the_llm_nothing_to_write(tool):
    assert (tool["execution_mode"], tool["pre_tool_speech"]) == ("async", "off")
    assert tool["tool_error_handling_mode"] == "hide"
    assert tool["api_schema"]["response_filter"] == {"mode": "hide_all"}
    schema = tool["api_schema"]["request_body_schema"]
    assert all(set(value) == {"type", "dynamic_variable"} for value in schema["properties"].values())
    assert set(schema["required"]) == set(schema["properties"])
    assert set(tool["api_schema"]["request_headers"]["Authorization"]) == {"secret_id"}
    assert 5 <= tool["response_timeout_secs"] <= 120


def test_the_tool_of_the_readme_has_no_field_that_elevenlabs_does_not_know(tool):
    config = ToolRequestModel.model_validate({"tool_config": tool}).tool_config
    assert config.type == "webhook"
    unknown = [(type(part).__name__, part.model_extra) for part in (config, config.api_schema) if part.model_extra]
    assert unknown == []
    assert config.api_schema.response_filter.mode == "hide_all"
    assert all(value.dynamic_variable for value in config.api_schema.request_body_schema.properties.values())


def test_the_prompt_of_the_readme_names_the_tool(tool):
    (line,) = [code for code in blocks("README.md", "text") if "live_transcript" in code]
    assert f"the tool {tool['name']} " in line


def test_the_curl_lines_of_the_readme_print_what_it_says(site, transactional_db, tmp_path):
    (lines,) = [code for code in blocks("README.md", "sh") if "conv_try" in code]
    (printed,) = [json.loads(code) for code in blocks("README.md", "json") if '"stored"' in code]
    (tmp_path / ".env").write_text(f"ELEVENLABS_WEBHOOK_SECRET=wsec\nELEVENLABS_TOOL_SECRET={TOOL_SECRET}\n")
    before = lines[: lines.index("curl ")]
    show = f'{before}printf "%s %s" "$HOST" "$ELEVENLABS_TOOL_SECRET"'
    shown = subprocess.run(["sh", "-c", show], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert shown == f"http://127.0.0.1:8000 {TOOL_SECRET}"
    curls = lines.removeprefix(before).replace("$HOST", site.url).replace("$ELEVENLABS_TOOL_SECRET", TOOL_SECRET)
    for line in curls.splitlines():
        curl, url, header, authorization, data, body = shlex.split(line)
        assert (curl, header, data) == ("curl", "-H", "-d")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl does
        headers |= dict([authorization.split(": ", 1)])
        answer = httpx.post(url, content=body, headers=headers, trust_env=False)
        assert answer.status_code == 200
    assert answer.json() == printed
    assert stored(Call.objects.get(call_sid="try_1")) == SPOKEN[:2]


@pytest.fixture
def page_server(site, monkeypatch):
    """The views that docs/live-turns.md gives for a page's own server, with ElevenLabs' answer to `begin`."""
    for name, value in {
        "CALLSITE_URL": site.url,
        "ELEVENLABS_TOOL_SECRET": TOOL_SECRET,
        "ELEVENLABS_AGENT_ID": "agent_documented",
        "ELEVENLABS_API_KEY": "unused",
    }.items():
        monkeypatch.setenv(name, value)
    views = {}
    (code,) = blocks("docs/live-turns.md", "python")
    exec(compile(code, "docs/live-turns.md", "exec"), views)

    def get(url, *, params, headers):
        assert params["include_conversation_id"] == "true"
        signed_url = f"wss://api.elevenlabs.io/v1/convai/conversation?agent_id={params['agent_id']}&conversation_id="
        return httpx.Response(200, json={"signed_url": signed_url + "conv_page"}, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)
    session = {}

    def post(view, body, user):
        request = RequestFactory().post("/", json.dumps(body), content_type="application/json")
        request.user, request.session = user, session
        return views[view](request)

    return SimpleNamespace(post=post)


def test_a_pages_own_server_reports_the_conversations_that_the_page_began(page_server, transactional_db):
    user = User.objects.create_user("page")
    call = Call.register(conversation_id="conv_page")
    begun = json.loads(page_server.post("begin", {}, user).content)
    assert begun["conversation_id"] == "conv_page"
    entries = HISTORY["entries"][:3]
    for length in (1, 3, 2):
        body = {"conversation_id": "conv_page", "entries": entries[:length]}
        assert page_server.post("said", body, user).status_code == 200
    assert stored(call) == SPOKEN
    other = {"conversation_id": "conv_of_another", "entries": entries}
    assert page_server.post("said", other, user).status_code == 403


def test_the_browser_never_gets_the_bearer():
    (page,) = blocks("docs/live-turns.md", "js")
    assert "SECRET" not in page
    assert "earer" not in page
