"""Delivery rows, inserted by one statement.

It buys: a post-call webhook of 20 KB costs 1.9 ms of CPU, and 2.2 ms with `bulk_create()`
(docs/performance/ablation.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db import IntegrityError

from calls.postgres.server_side import execute
from webhooks.models import ANOTHER_COPY, WebhookDelivery

# All columns but the key, which PostgreSQL gives. These travel in one JSON text; the bodies travel beside it as bytes,
# as inside of it they would be hexadecimals.
COLUMNS = {
    "route": "text",
    "digest": "text",
    "size_bytes": "bigint",
    "event_type": "text",
    "conversation_id": "text",
    "call_sid": "text",
    "call_id": "bigint",
    "outcome": "text",
    "answer_status": "smallint",
    "answer_body": "jsonb",
    "error": "text",
    "received_at": "timestamptz",
    "times_received": "integer",
    "times_applied": "integer",
    "applied_at": "timestamptz",
}
INSERT = f"""
    INSERT INTO webhooks_webhookdelivery ({", ".join(COLUMNS)}, body)
    SELECT {", ".join(COLUMNS)}, body
    FROM ROWS FROM (
        json_to_recordset(%s) AS ({", ".join(f"{column} {kind}" for column, kind in COLUMNS.items())}),
        unnest(%b::bytea[])
    ) AS given ({", ".join(COLUMNS)}, body)
    ON CONFLICT DO NOTHING
"""  # noqa: S608  (all names are ours)


def insert(deliveries: Sequence[WebhookDelivery]) -> None:
    """Write new rows; the instances do not learn their keys. Raises django.db.Error, and then the caller rolls back.

    A copy that comes at the same moment is IntegrityError too, but none of PostgreSQL's, which would log it.
    """
    if not deliveries:
        return
    rows = [{column: getattr(delivery, column) for column in COLUMNS} for delivery in deliveries]
    if execute(INSERT, [msgspec.json.encode(rows).decode(), [delivery.body for delivery in deliveries]]) < len(rows):
        raise IntegrityError(ANOTHER_COPY)
