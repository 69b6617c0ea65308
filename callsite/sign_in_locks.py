"""Lock a user name at an address after five failed sign-ins in a row, for 15 minutes. django-axes' rows keep the count.

The key is the name and the address: with the name alone a stranger could lock a colleague out. A lock holds on the
three sign-in routes (`/login/`, `/admin/login/`, `/api/token/`) and in all web processes, also for names that do not
exist. A refused attempt hashes no password and writes no row, so the lock ends although somebody goes on trying.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from axes.backends import AxesBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.backends import BaseBackend, ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Case, F, QuerySet, When
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from callsite.expired_rows import delete_some

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104 (no interface to listen on): in place of a malformed address from a proxy


@dataclass(frozen=True)
class Lock:
    """The lock that refuses an attempt, and the seconds until it ends. The login page shows its text."""

    seconds: int

    @property
    def text(self) -> str:
        minutes = math.ceil(self.seconds / 60)
        return f"Too many attempts. Try again in {minutes} minute{'' if minutes == 1 else 's'}."


class Backend(AxesBackend):
    """Django's authentication backend, behind the locks."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **more: Any
    ) -> AbstractBaseUser | None:
        """Return the user, or None. Raises PermissionDenied for an attempt that a lock refuses."""
        if request is not None:  # a command has no address
            super().authenticate(request, username, password, **more)
        user = ModelBackend.authenticate(self, request, username, password, **more)
        if user is not None and request is not None:
            _attempts(request, username).filter(failures_since_start__gt=0).update(failures_since_start=0)
        return user

    # Django's own would bypass the locks.
    aauthenticate = BaseBackend.aauthenticate


class Handler(AxesDatabaseHandler):
    """The handler that axes calls. It stores no name, as people type passwords there too, and no data of the form."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        begin = _begin()
        last = (
            _attempts(request, (credentials or {}).get("username"))
            .filter(failures_since_start__gte=settings.AXES_FAILURE_LIMIT, attempt_time__gt=begin)
            .values_list("attempt_time", flat=True)
            .first()
        )
        if last is None:
            return False
        # DRF wraps the request; the middleware needs the request inside
        getattr(request, "_request", request).sign_in_lock = Lock(math.ceil((last - begin).total_seconds()))
        return True

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: Any = None, **more: Any) -> None:
        if request is None or hasattr(request, "sign_in_lock"):
            return
        self.clean_expired_user_attempts()
        attempt, _ = AccessAttempt.objects.get_or_create(
            **_key(request, credentials.get("username")), defaults={"failures_since_start": 0}
        )
        counted = Case(When(attempt_time__lte=_begin(), then=1), default=F("failures_since_start") + 1)
        AccessAttempt.objects.filter(pk=attempt.pk).update(failures_since_start=counted, attempt_time=timezone.now())

    def clean_expired_user_attempts(self, request: Any = None, credentials: Any = None) -> int:
        return delete_some(AccessAttempt.objects.filter(attempt_time__lte=_begin()).order_by("pk"))


def address_of(request: HttpRequest) -> str:
    """Return the client's address; for IPv6 its network of 64 bits, as each customer has all addresses of one.

    uvicorn takes the address from X-Forwarded-For if the request came from a proxy in FORWARDED_ALLOW_IPS, and else
    from the connection, so no client can choose its own.
    """
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return UNKNOWN_ADDRESS
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False).network_address)


def refuse_locked(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that answers a refused attempt with 429: under /api/ in DRF's form, elsewhere with the login page."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        lock: Lock | None = getattr(request, "sign_in_lock", None)
        if lock is None:
            return response
        if request.path.startswith("/api/"):
            response = JsonResponse({"detail": lock.text})
        response.status_code = 429
        response.headers["Retry-After"] = str(lock.seconds)
        return response

    return answer


def _begin() -> Any:
    """Return the time before which failures no longer count."""
    return timezone.now() - settings.AXES_COOLOFF_TIME


def _attempts(request: Any, name: str | None) -> QuerySet[Any]:
    attempts: QuerySet[Any] = AccessAttempt.objects.filter(**_key(request, name))
    return attempts


def _key(request: Any, name: str | None) -> dict[str, str]:
    """Return the fields of the row that counts. axes would use one row per user agent, which the client can choose."""
    digest = salted_hmac(__name__, name or "", algorithm="sha256").hexdigest()
    return {"username": digest, "ip_address": address_of(request), "user_agent": ""}
