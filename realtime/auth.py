"""Who may listen: a JWT (header, sub-protocol or query) or the session of a signed-in user on this site's pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http.request import split_domain_port, validate_host
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings as jwt_settings
from rest_framework_simplejwt.tokens import AccessToken

from realtime.log import in_thread

PERMISSION = "calls.view_call"
SUBPROTOCOL = "callsite.v1"
_BEARER = "bearer."


@dataclass(frozen=True, slots=True)
class Identity:
    """A user who may listen. `expires_at`: unix seconds at which the token ends; None for a session."""

    user_id: int
    expires_at: float | None


def take_token_from_query(scope: dict[str, Any]) -> None:
    """Move `?token=` out of the scope's query string: servers write that into their logs."""
    query = scope.get("query_string", b"").decode("latin-1")
    if "token=" in query:
        parameters = parse_qs(query, keep_blank_values=True)
        scope["callsite.token"] = parameters.pop("token", [""])[0]
        scope["query_string"] = urlencode(parameters, doseq=True).encode()


async def identify(scope: dict[str, Any]) -> Identity | None:
    """Who opens this socket, if they may listen. Raises django.db.Error when that cannot be found out."""
    token = offered_token(scope)
    if token is not None:
        return await identify_token(token)
    user = scope.get("user")
    if user is None or not user.is_authenticated or not is_own_origin(scope):
        return None
    allowed = await still_allowed([user.pk])
    return Identity(user.pk, None) if user.pk in allowed else None


async def identify_token(token: str) -> Identity | None:
    """The user of a JWT access token, if the token is good and the user may listen."""
    try:
        access = AccessToken(token)  # type: ignore[arg-type]  # it takes text
        user_id = int(access[jwt_settings.USER_ID_CLAIM])
        expires_at = float(access["exp"])
    except (TokenError, KeyError, TypeError, ValueError):
        return None
    return Identity(user_id, expires_at) if user_id in await still_allowed([user_id]) else None


async def still_allowed(user_ids: Iterable[int]) -> set[int]:
    """Those of the users who are active and may view calls, in one query."""
    ids = list(user_ids)
    backend = "django.contrib.auth.backends.ModelBackend"

    def read() -> set[int]:
        users = get_user_model()._default_manager.with_perm(PERMISSION, backend=backend)
        return set(users.filter(pk__in=ids).values_list("pk", flat=True))

    return await in_thread(read)


def is_own_origin(scope: dict[str, Any]) -> bool:
    """A session cookie counts only on pages of this site, or of an origin in CSRF_TRUSTED_ORIGINS."""
    origin, host = _header(scope, b"origin"), _header(scope, b"host")
    if not origin or not host:
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    scheme = "https" if scope.get("scheme") in ("wss", "https") else "http"
    return origin == f"{scheme}://{host}" and is_allowed_host(host)


def is_allowed_host(host: str) -> bool:
    allowed = settings.ALLOWED_HOSTS or (["localhost", ".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def echoed_subprotocol(scope: dict[str, Any]) -> str | None:
    """`callsite.v1` where it was offered; never the bearer."""
    return SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", []) else None


def offered_token(scope: dict[str, Any]) -> str | None:
    """The JWT that a client shows: in the header, as a sub-protocol, or in the query."""
    scheme, _, credentials = _header(scope, b"authorization").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    for protocol in scope.get("subprotocols", []):
        if protocol.startswith(_BEARER):
            return str(protocol.removeprefix(_BEARER))
    token: str | None = scope.get("callsite.token")
    return token


def _header(scope: dict[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope.get("headers", []) if key == name), "")
