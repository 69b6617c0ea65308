"""The doctor on set-ups that are broken in one way each, against a real HTTP server in ElevenLabs' place."""

from __future__ import annotations

import time

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser

from conftest import WEBHOOK_SECRET
from upstream import doctor
from webhooks.models import WebhookDelivery


@pytest.fixture
def diagnosis(stub, settings, site, capsys):
    """Run it: the exit code, and what is not well."""
    settings.DIAL_ALLOWED_PREFIXES = ["+1555"]

    def run(url=site.url):
        with pytest.raises(SystemExit) as ended:
            call_command("elevenlabs_doctor", "--url", url)
        out = capsys.readouterr().out
        assert stub.workspace.key not in out
        assert WEBHOOK_SECRET not in out
        return ended.value.code, out

    return run


def problems(out):
    return [line for line in out.splitlines() if line.startswith(("broken", "warning"))]


def test_a_set_up_as_the_readme_says_is_well(diagnosis):
    code, out = diagnosis()
    assert (code, problems(out)) == (0, [])
    assert out.count("ok ") >= 8


def test_the_doctor_changes_nothing(diagnosis, stub):
    diagnosis()
    diagnosis()
    assert {method for method, _, _ in stub.requests} == {"GET"}
    delivery = WebhookDelivery.objects.get()
    assert (delivery.outcome, delivery.times_received) == ("ignored", 2)


def _tool_of(workspace):
    return workspace.tool["api_schema"]


BROKEN = {
    "key missing": (
        lambda s, w: setattr(s, "ELEVENLABS_API_KEY", ""),
        "ELEVENLABS_API_KEY is empty",
        "ELEVENLABS_API_KEY",
    ),
    "key wrong": (lambda s, w: setattr(s, "ELEVENLABS_API_KEY", "sk_wrong"), "does not know the key", "api-keys"),
    "wrong host": (
        lambda s, w: setattr(s, "ELEVENLABS_API_URL", "http://127.0.0.1:9"),
        "cannot be reached",
        "ELEVENLABS_API_URL",
    ),
    "address that is none": (
        lambda s, w: setattr(s, "ELEVENLABS_API_URL", "api.elevenlabs.io"),
        "must be an address",
        "ELEVENLABS_API_URL",
    ),
    "agent of another workspace": (
        lambda s, w: setattr(s, "ELEVENLABS_AGENT_ID", "agent_other"),
        "no agent agent_other",
        "agent's page",
    ),
    "number of another workspace": (
        lambda s, w: setattr(s, "ELEVENLABS_PHONE_NUMBER_ID", "phnum_other"),
        "no phone number phnum_other",
        "/v1/convai/phone-numbers",
    ),
    "no webhook": (lambda s, w: w.webhook.clear(), "No webhook", "POST /v1/workspace/webhooks"),
    "webhook elsewhere": (
        lambda s, w: w.webhook.update(webhook_url="https://old.example/webhooks/elevenlabs/post-call"),
        "leads to https://old.example",
        "Settings → Webhooks",
    ),
    "webhook switched off": (lambda s, w: w.webhook.update(is_disabled=True), "switched off", '"is_disabled": false'),
    "webhook auto-disabled": (
        lambda s, w: w.webhook.update(is_auto_disabled=True),
        "failed again and again",
        "PATCH /v1/workspace/webhooks/wh_",
    ),
    "retries off": (lambda s, w: w.webhook.update(retry_enabled=False), "Retries", '"retry_enabled": true'),
    "events missing": (
        lambda s, w: w.settings["webhooks"].update(events=["audio"]),
        "no transcript and no call_initiation_failure",
        "PATCH /v1/convai/settings",
    ),
    "events to another webhook": (
        lambda s, w: w.settings["webhooks"].update(post_call_webhook_id="wh_other"),
        "do not go to this webhook",
        "PATCH /v1/convai/settings",
    ),
    "transcripts as traces": (
        lambda s, w: w.settings["webhooks"].update(transcript_format="opentelemetry"),
        "OpenTelemetry",
        "transcript_format",
    ),
    "no webhook secret": (
        lambda s, w: setattr(s, "ELEVENLABS_WEBHOOK_SECRET", ""),
        "ELEVENLABS_WEBHOOK_SECRET is empty",
        "webhook_secret",
    ),
    "no init webhook": (
        lambda s, w: w.settings.update(conversation_initiation_client_data_webhook=None),
        "no conversation-initiation webhook",
        "/webhooks/elevenlabs/conversation-init",
    ),
    "init without a header": (
        lambda s, w: w.settings["conversation_initiation_client_data_webhook"].update(request_headers={}),
        "sends no Authorization",
        "Authorization",
    ),
    "init with another secret": (
        lambda s, w: w.settings["conversation_initiation_client_data_webhook"].update(
            request_headers={"Authorization": "Bearer another"}
        ),
        "another secret",
        "ELEVENLABS_TOOL_SECRET",
    ),
    "agent does not ask init": (
        lambda s, w: w.agent["platform_settings"]["overrides"].clear(),
        "does not ask",
        "enable_conversation_initiation_client_data_from_webhook",
    ),
    "no tool": (
        lambda s, w: w.agent["conversation_config"]["agent"]["prompt"].clear(),
        "no tool",
        "/webhooks/elevenlabs/transcription",
    ),
    "tool elsewhere": (
        lambda s, w: _tool_of(w).update(url="https://old.example/webhooks/elevenlabs/transcription"),
        "leads to https://old.example",
        "url",
    ),
    "tool without the call": (
        lambda s, w: _tool_of(w)["request_body_schema"]["properties"].pop("conversation_id"),
        "which call",
        "system__conversation_id",
    ),
    "tool without the history": (
        lambda s, w: _tool_of(w)["request_body_schema"]["properties"].pop("history"),
        "what was said",
        "system__conversation_history",
    ),
    "tool with GET": (lambda s, w: _tool_of(w).update(method="GET"), "does not send POST", "POST"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told_with_its_mend(diagnosis, stub, settings, name):
    breaks, said, mend = BROKEN[name]
    breaks(settings, stub.workspace)
    code, out = diagnosis()
    assert code == 1
    lines = out.splitlines()
    [place] = [place for place, line in enumerate(lines) if line.startswith("broken") and said in line]
    assert mend in lines[place + 1]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/v1/workspace/webhooks", "webhooks of the workspace"),
        ("/agents/", "agent"),
        ("/v1/convai/settings", "settings"),
    ],
)
def test_a_scope_that_the_key_lacks_is_named_and_the_rest_is_examined(diagnosis, stub, path, what):
    stub.fail(path, "403", None)
    code, out = diagnosis()
    assert code == 1
    assert any("may not read" in line and what in line for line in problems(out))
    assert "test delivery" in out


def test_where_elevenlabs_is_busy_the_mend_is_to_wait(diagnosis, stub):
    stub.fail("/conversations", "429", None)
    code, out = diagnosis()
    assert (code, "Try again in a minute." in out, "Check ELEVENLABS_API_URL" in out) == (1, True, False)


def test_tools_that_cannot_be_read_are_not_called_missing(diagnosis, stub):
    stub.fail("/tools/", "403", None)
    code, out = diagnosis()
    assert code == 1
    assert [line for line in problems(out) if "tool" in line] == ["broken   The key may not read the tools."]


def test_an_address_without_its_scheme_is_refused_with_the_right_form():
    with pytest.raises(CommandError, match="https://YOUR-HOST") as error:
        call_command("elevenlabs_doctor", "--url", "calls.example.com")
    assert error.value.returncode == 1, "2 says that there are only warnings"


def test_a_server_with_another_secret_is_found_by_the_test_delivery(diagnosis, monkeypatch):
    monkeypatch.setattr(doctor, "secrets_of", lambda setting: (b"wsec_another_0123456789",))
    code, out = diagnosis()
    assert code == 1
    assert "refuses the signature" in "".join(problems(out))


def test_an_address_where_nobody_answers_is_told(diagnosis):
    code, out = diagnosis(url="http://127.0.0.1:9")
    assert code == 1
    assert any("A test delivery to http://127.0.0.1:9" in line for line in problems(out))


@pytest.mark.parametrize(("seconds", "level"), [(-120, "warning"), (3_600, "broken")])
def test_a_clock_that_is_wrong_is_told(diagnosis, monkeypatch, seconds, level):
    now = time.time
    monkeypatch.setattr(doctor, "time", type("Clock", (), {"time": staticmethod(lambda: now() + seconds)}))
    _, out = diagnosis()
    assert any(line.startswith(level) and "clock" in line for line in problems(out))


def test_warnings_alone_have_an_exit_code_of_their_own(diagnosis, stub):
    stub.workspace.webhook.update(most_recent_failure_error_code=401, most_recent_failure_timestamp=time.time() - 60)
    code, out = diagnosis()
    assert code == 2
    assert "failed with 401" in out
    assert "ELEVENLABS_WEBHOOK_SECRET must be" in out


def test_what_an_agent_sets_itself_counts(diagnosis, stub):
    own = {"post_call_webhook_id": "wh_of_others", "events": ["transcript"]}
    stub.workspace.agent["platform_settings"]["workspace_overrides"] = {"webhooks": own}
    code, out = diagnosis()
    assert code == 1
    assert "the agent's settings" in out


def test_tools_of_a_workflow_count(diagnosis, stub):
    prompt = stub.workspace.agent["conversation_config"]["agent"]["prompt"]
    stub.workspace.agent["workflow"] = {"nodes": {"n1": {"additional_tool_ids": prompt.pop("tool_ids")}}}
    assert diagnosis()[0] == 0


def test_staff_examine_in_the_admin(stub, admin_client, settings, site):
    settings.CSRF_TRUSTED_ORIGINS = []
    page = admin_client.get("/admin/elevenlabs/doctor/")
    assert "Examine" in page.text
    assert stub.requests == []
    stub.workspace.webhook.update(retry_enabled=False)
    page = admin_client.post("/admin/elevenlabs/doctor/")
    assert "Retries of the post-call webhook are off" in page.text
    assert stub.workspace.key not in page.text
    assert "/admin/elevenlabs/doctor/" in admin_client.get("/admin/upstream/reconcileround/").text


def test_staff_who_may_not_look_examine_nothing(client_of_clerk, stub):
    assert client_of_clerk.post("/admin/elevenlabs/doctor/").status_code == 403
    assert stub.requests == []


@pytest.fixture
def client_of_clerk(django_user_model):
    client = Browser()
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    return client
