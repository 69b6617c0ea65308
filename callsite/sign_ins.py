"""Sign-ins: log each failure, end each session twelve hours later, and store no copies of tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

logger = structlog.get_logger(__name__)


@receiver(user_login_failed)
def tell_failed_sign_in(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Log a failed sign-in, with the user's id if there is such a user, and never with the name.

    The name stays out of the log because people type passwords into that field too.
    """
    users = get_user_model()
    name = str(credentials.get(users.USERNAME_FIELD, ""))
    user_id = users._default_manager.filter(**{users.USERNAME_FIELD: name}).values_list("pk", flat=True).first()
    logger.warning(
        "Sign-in failed",
        user_id=user_id,
        name_length=len(name),
        path=request.path if request else None,
        address=request.META.get("REMOTE_ADDR") if request else None,
        locked=hasattr(request, "sign_in_lock") or None,
    )


@receiver(user_logged_in)
def end_session_in_time(request: HttpRequest, **_: Any) -> None:
    """End the session SESSION_COOKIE_AGE after the sign-in.

    Django itself starts that time anew whenever a session is saved.
    """
    request.session.set_expiry(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE))


@receiver(pre_save, sender=OutstandingToken)
def keep_no_token(instance: OutstandingToken, **_: Any) -> None:
    """Store a token's number, but not the token. So nobody who reads the database or a backup finds a valid token."""
    instance.token = ""
