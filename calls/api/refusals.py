"""The refusals in the OpenAPI document: each operation lists the error statuses that it may answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator

SCHEMAS = {
    "Detail": {
        "type": "object",
        "description": "What is wrong, in a sentence. A refused token adds `code` and `messages`.",
        "properties": {
            "detail": {"type": "string"},
            "code": {"type": "string"},
            "messages": {"type": "array", "items": {"type": "object", "additionalProperties": True}},
        },
        "required": ["detail"],
    },
    "FieldErrors": {
        "type": "object",
        "description": "What is wrong, by field or query parameter; `non_field_errors` are about more than one.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    },
}
DETAIL, FIELDS = ({"$ref": f"#/components/schemas/{name}"} for name in SCHEMAS)
RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
RESPONSES: dict[str, dict[str, Any]] = {
    "400": {
        "description": "A field or query parameter is wrong or unknown, or the body is not JSON.",
        "schema": {"anyOf": [FIELDS, DETAIL]},
        "example": {"page": ["There is no such parameter here. There are: cursor, format, page_size."]},
    },
    "401": {
        "description": "The token or password is missing, wrong or expired.",
        "example": {"detail": "Authentication credentials were not provided."},
    },
    "403": {
        "description": "The user lacks the permission.",
        "example": {"detail": "You do not have permission to perform this action."},
    },
    "404": {
        "description": "There is no such call, recording or page.",
        "example": {"detail": "There is no call with this call_sid or conversation_id."},
    },
    "406": {
        "description": "The Accept header asks for something else than JSON.",
        "example": {"detail": "Could not satisfy the request Accept header."},
    },
    "413": {
        "description": "The body is larger than 1 MiB.",
        "example": {"detail": "Body too large. Send at most 1048576 bytes."},
    },
    "415": {
        "description": "The body is announced as something else than JSON.",
        "example": {"detail": 'Unsupported media type "text/plain" in request.'},
    },
    "429": {
        "description": "Too many attempts to sign in with this user name from this address; or a proxy in front of "
        "callsite limits how often this client may ask.",
        "headers": RETRY_AFTER,
        "example": {"detail": "Too many attempts. Try again in 15 minutes."},
    },
    "503": {
        "description": "Too many requests at once, or the database is busy. Nothing was changed; try again.",
        "headers": RETRY_AFTER,
        "example": {"detail": "Too many requests at once. Try again in a moment."},
    },
}


def describe_refusals(result: dict[str, Any], generator: SchemaGenerator, **_: Any) -> dict[str, Any]:
    """Add the refusals to each operation, and mark requests as closed to unknown fields and answers as complete.

    It is a postprocessing hook of drf-spectacular; it changes and returns `result`.
    """
    components = result["components"]
    for name, schema in components["schemas"].items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
        elif "properties" in schema:
            schema["required"] = list(schema["properties"])  # an answer always has all fields
    components["schemas"] |= SCHEMAS
    components["responses"] = {status: _as_component(response) for status, response in RESPONSES.items()}
    for operations in result["paths"].values():
        for operation in operations.values():
            refused = {status: {"$ref": f"#/components/responses/{status}"} for status in _refusals(operation)}
            operation["responses"] = dict(sorted((refused | operation["responses"]).items()))
    return result


def _as_component(response: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI response object. Callsite's own refusals are JSON; a refusal by a proxy may be of any type."""
    component: dict[str, Any] = {name: response[name] for name in ("description", "headers") if name in response}
    if "example" in response:
        content = {"schema": response.get("schema", DETAIL), "example": response["example"]}
        component["content"] = {"application/json": content}
    return component


def _refusals(operation: dict[str, Any]) -> Iterator[str]:
    yield from ("400", "401", "406", "429", "503")
    if "security" in operation:
        yield "403"
    if any(parameter["name"] in ("identifier", "cursor") for parameter in operation.get("parameters", ())):
        yield "404"
    if "requestBody" in operation:
        yield from ("413", "415")
