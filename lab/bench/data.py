"""The calls of the load, the same in every database: call number i is `CA{i:032}` and `conv_{i}`."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from lab.bench.servers import RIVALS_PYTHON, Infrastructure

CALLS = 60_000
FIRST_POST_CALL = 10_001  # post-call webhooks end calls, so they use other calls than the turns


def prepare(infrastructure: Infrastructure) -> None:
    """Create the tables of callsite and its rivals, once."""
    prepare_callsite(infrastructure)
    infrastructure.run("lab.bench.rivals.fastapi_sqlalchemy", database="rival", python=RIVALS_PYTHON)
    infrastructure.run("lab.bench.rivals.plain_channels", database="plain")


def prepare_callsite(infrastructure: Infrastructure) -> None:
    """Create callsite's tables. From here on this process runs Django with the bench's settings."""
    os.environ.update(infrastructure.settings())
    os.environ["DJANGO_SETTINGS_MODULE"] = "callsite.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def fill(infrastructure: Infrastructure) -> None:
    """Empty all tables and register the calls, so that every round begins alike."""
    fill_callsite(infrastructure)
    infrastructure.sql("TRUNCATE rival_turn, rival_call RESTART IDENTITY", "rival")
    infrastructure.sql(
        "INSERT INTO rival_call (call_sid, conversation_id, status, updated_at)"
        " SELECT 'CA' || lpad(i::text, 32, '0'), 'conv_' || i, 'in-progress', now()"
        f" FROM generate_series(1, {CALLS}) i",
        "rival",
    )
    infrastructure.sql("TRUNCATE plain_turn, plain_call RESTART IDENTITY", "plain")
    infrastructure.sql(
        "INSERT INTO plain_call (call_sid, last_number)"
        f" SELECT 'CA' || lpad(i::text, 32, '0'), 0 FROM generate_series(1, {CALLS}) i",
        "plain",
    )
    for database in ("rival", "plain"):
        infrastructure.sql("VACUUM ANALYZE", database)
    infrastructure.sql("CHECKPOINT")


def fill_callsite(infrastructure: Infrastructure) -> None:
    """Empty only callsite's tables and register the calls."""
    from calls.models import Call

    infrastructure.sql("TRUNCATE calls_call, webhooks_webhookdelivery RESTART IDENTITY CASCADE")
    infrastructure.sql(_insert_calls(Call))
    infrastructure.sql("VACUUM ANALYZE")


def _insert_calls(model: Any) -> str:
    """Return the statement that inserts calls in progress; a field without a value here gets its default."""
    values = {
        "call_sid": "'CA' || lpad(i::text, 32, '0')",
        "conversation_id": "'conv_' || i",
        "created_at": "now()",
        "updated_at": "now()",
    }
    fields = [f for f in model._meta.concrete_fields if not f.primary_key and not f.generated and not f.null]
    for field in fields:
        if field.column not in values:
            default = field.get_default()
            values[field.column] = str(default) if isinstance(default, int) else f"'{default}'"
    return (
        f"INSERT INTO calls_call ({', '.join(values)})"
        f" SELECT {', '.join(values.values())} FROM generate_series(1, {CALLS}) i"
    )


def listener_token(name: str = "bench-listener") -> str:
    """Return a JWT that is valid for hours, of a user who may only view calls."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Permission
    from rest_framework_simplejwt.tokens import AccessToken

    user, created = get_user_model().objects.get_or_create(username=name)
    if created:
        user.user_permissions.add(Permission.objects.get(codename="view_call"))
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=timedelta(hours=6))
    return str(token)


def listener_tokens(users: int) -> list[str]:
    return [listener_token(f"bench-listener-{number}") for number in range(users)]
