"""The set-up at ElevenLabs: the key, the agent with its tool, the phone number and the webhooks. Tests can break it.

Answers have the fields that callsite reads; simulator/tests/test_stub.py compares them with the official SDK's types.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.call import AGENT_ID, AGENT_NAME, AGENT_NUMBER
from simulator.live import TOOL
from simulator.server import CONVERSATION_INIT, POST_CALL, TURN

KEY = "sk_stub_0123456789abcdef0123456789abcdef"
PHONE_NUMBER_ID = "phnum_4401kfreightdemo"
TOOL_ID, WEBHOOK_ID, SECRET_ID = "tool_2601kfreightdemo", "wh_2601kfreightdemo", "secret_2601kfreightdemo"
EVENTS = ("transcript", "audio", "call_initiation_failure")


@dataclass(slots=True)
class Workspace:
    """A workspace that is configured as the README says, whose webhooks go to the callsite at `callsite_url`."""

    callsite_url: str
    key: str = KEY
    agent_id: str = AGENT_ID
    phone_number_id: str = PHONE_NUMBER_ID
    webhook: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)
    tool: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        authorization = {"Authorization": {"secret_id": SECRET_ID}}
        self.webhook = {
            "name": "callsite",
            "webhook_id": WEBHOOK_ID,
            "webhook_url": self.callsite_url + POST_CALL,
            "is_disabled": False,
            "is_auto_disabled": False,
            "created_at_unix": 1_790_000_000,
            "auth_type": "hmac",
            "retry_enabled": True,
            "usage": [{"usage_type": "ConvAI Agent Settings"}],
            "events": [],
            "most_recent_failure_error_code": None,
            "most_recent_failure_timestamp": None,
        }
        self.settings = {
            "conversation_initiation_client_data_webhook": {
                "url": self.callsite_url + CONVERSATION_INIT,
                "request_headers": authorization,
            },
            "webhooks": {"post_call_webhook_id": WEBHOOK_ID, "events": list(EVENTS), "transcript_format": "json"},
        }
        names = {"conversation_id": "conversation_id", "agent_id": "agent_id", "history": "conversation_history"}
        properties = {
            name: {"type": "string", "dynamic_variable": f"system__{system}"} for name, system in names.items()
        }
        self.tool = {
            "type": "webhook",
            "name": TOOL,
            "description": "Reports the conversation so far.",
            "api_schema": {
                "url": self.callsite_url + TURN,
                "method": "POST",
                "request_headers": authorization,
                "request_body_schema": {"type": "object", "required": list(names), "properties": properties},
            },
        }
        overrides = {"enable_conversation_initiation_client_data_from_webhook": True}
        self.agent = {
            "agent_id": self.agent_id,
            "name": AGENT_NAME,
            "conversation_config": {"agent": {"first_message": "Hello!", "prompt": {"tool_ids": [TOOL_ID]}}},
            "metadata": {"created_at_unix_secs": 1_790_000_000, "updated_at_unix_secs": 1_790_000_000},
            "platform_settings": {"overrides": overrides, "workspace_overrides": {}},
        }

    def environment(self, url: str) -> dict[str, str]:
        """Return the environment variables of a callsite that uses the stub at `url`."""
        return {
            "ELEVENLABS_API_URL": url,
            "ELEVENLABS_API_KEY": self.key,
            "ELEVENLABS_AGENT_ID": self.agent_id,
            "ELEVENLABS_PHONE_NUMBER_ID": self.phone_number_id,
            "DIAL_ALLOWED_PREFIXES": "+1555",
        }

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the answer to a GET of a part of the set-up; None if the workspace has no such part."""
        phone_number = {
            "provider": "twilio",
            "phone_number": AGENT_NUMBER,
            "label": "callsite",
            "phone_number_id": self.phone_number_id,
            "assigned_agent": {"agent_id": self.agent_id, "agent_name": AGENT_NAME},
        }
        access = {"is_creator": True, "creator_name": "callsite", "creator_email": "a@example.com", "role": "admin"}
        found: dict[str, dict[str, Any]] = {
            f"/v1/convai/agents/{self.agent_id}": self.agent,
            f"/v1/convai/phone-numbers/{self.phone_number_id}": phone_number,
            f"/v1/convai/tools/{TOOL_ID}": {
                "id": TOOL_ID,
                "tool_config": self.tool,
                "access_info": access,
                "usage_stats": {"total_calls": 0, "avg_latency_secs": 0.0},
            },
            "/v1/convai/settings": self.settings,
            "/v1/workspace/webhooks": {"webhooks": [self.webhook] if self.webhook else []},
        }
        return found.get(path)
