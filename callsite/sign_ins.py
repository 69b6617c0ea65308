"""Tell the log of each failed sign-in, by whatever way: the login pages, `/api/token/`."""

from __future__ import annotations

from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

logger = structlog.get_logger(__name__)


@receiver(user_login_failed)
def tell_failed_sign_in(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Write the user's id if there is such a user, and never the name: people type passwords there too."""
    users = get_user_model()
    name = str(credentials.get(users.USERNAME_FIELD, ""))
    user_id = users._default_manager.filter(**{users.USERNAME_FIELD: name}).values_list("pk", flat=True).first()
    logger.warning(
        "Sign-in failed",
        user_id=user_id,
        name_length=len(name),
        path=request.path if request else None,
        address=request.META.get("REMOTE_ADDR") if request else None,
    )
