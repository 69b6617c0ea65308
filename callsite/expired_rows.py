"""Delete expired rows, some with each sign-in, so that no table needs a job that empties it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

AT_ONCE = 100


def delete_some(expired: QuerySet[Any]) -> int:
    """Delete at most AT_ONCE of the rows, and return how many. Rows that another process deletes now are skipped."""
    with transaction.atomic():
        keys = list(expired.select_for_update(skip_locked=True).values_list("pk", flat=True)[:AT_ONCE])
        if keys:
            expired.model._default_manager.filter(pk__in=keys).delete()
    return len(keys)


@receiver(user_logged_in)
def delete_expired_sessions(**_: Any) -> None:
    delete_some(Session.objects.filter(expire_date__lte=timezone.now()).order_by("expire_date"))


@receiver(post_save, sender=OutstandingToken)
def delete_expired_tokens(created: bool, **_: Any) -> None:
    """Check only the oldest tokens, as `expires_at` has no index. All live equally long, so the oldest end first."""
    if created:
        oldest = OutstandingToken.objects.order_by("pk").values("pk")[:AT_ONCE]
        delete_some(OutstandingToken.objects.filter(pk__in=oldest, expires_at__lte=timezone.now()).order_by("pk"))
