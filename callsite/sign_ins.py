"""Sign-ins: a line in the log for each that fails, sessions that end twelve hours later, and no copies of tokens."""

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
        locked=hasattr(request, "sign_in_lock") or None,
    )


@receiver(user_logged_in)
def end_session_in_time(request: HttpRequest, **_: Any) -> None:
    """A session ends SESSION_COOKIE_AGE after the sign-in. By itself Django begins to count anew when one is saved."""
    request.session.set_expiry(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE))


@receiver(pre_save, sender=OutstandingToken)
def keep_no_token(instance: OutstandingToken, **_: Any) -> None:
    """The list of tokens knows each by its number. Whoever reads the database or a backup finds none that is good."""
    instance.token = ""
