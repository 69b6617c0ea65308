"""Authentication of sockets, by a JWT (header, sub-protocol or query) or by the session of a user on this site's pages.

It also tells which agents' calls a user may hear. A token or session must stay valid while its socket is open: the hub
asks `still_allowed` about it every two seconds.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import is_same_domain
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings as jwt_settings
from rest_framework_simplejwt.tokens import AccessToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from calls.access import Agents, agents_of_each
from calls.per_loop import PerLoop
from realtime.replay import in_thread
from realtime.together import Together

PERMISSION = "calls.view_call"
SUBPROTOCOL = "callsite.v1"
REMEMBERED_TOKENS = 10_000
_BEARER = "bearer."
_tokens: dict[bytes, Identity] = {}  # verified tokens, by digest
_entering = PerLoop(lambda: Together(lambda identities: still_allowed(identities)))


@dataclass(frozen=True, slots=True)
class Identity:
    """A user with the session or the token that proves who it is.

    A token is valid until `expires_at` (unix seconds), or until the user's password changes.
    """

    user_id: int
    expires_at: float | None
    session_key: str | None = None
    password_hash: str | None = None  # from the token's claim


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of an identity at one moment: it may hear the calls of `agents`. The access log shows `user_name`."""

    user_name: str
    agents: Agents


Admission = tuple[Identity, Rights]


def take_token_from_query(scope: dict[str, Any]) -> None:
    """Remove the query string from the scope, and keep its `?token=`: servers write a query string into their logs.

    The whole query string goes, because it may hold a token under another spelling: `?TOKEN=`.
    """
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    if "token" in query:
        scope["callsite.token"] = query["token"][0]
    scope["query_string"] = b""


async def identify(scope: dict[str, Any]) -> Admission | None:
    """Return the user who opens this socket, with their rights; None if the user may not listen.

    Raises django.db.Error when the database cannot tell.
    """
    token = offered_token(scope)
    if token is not None:
        return await identify_token(token)
    user = scope.get("user")
    if user is None or not user.is_authenticated or not is_own_origin(scope):
        return None
    return await admitted(Identity(user.pk, None, session_key=scope["session"].session_key))


async def identify_token(token: str) -> Admission | None:
    """Return the user of a JWT access token, with rights; None if the token is invalid or the user may not listen.

    Raises django.db.Error.
    """
    try:
        identity = _verified(token)
    except (TokenError, KeyError, TypeError, ValueError):
        return None
    return await admitted(identity)


def _verified(token: str) -> Identity:
    """Return the identity that a token proves. A valid token is verified once, then cached until it expires.

    Raises TokenError, KeyError, TypeError or ValueError for an invalid token.
    """
    key = hashlib.sha256(token.encode()).digest()
    known = _tokens.get(key)
    if known is not None and known.expires_at is not None and known.expires_at > time.time():
        return known
    access = AccessToken(token)  # type: ignore[arg-type]  # it also takes text
    identity = Identity(
        user_id=int(access[jwt_settings.USER_ID_CLAIM]),
        expires_at=float(access["exp"]),
        password_hash=str(access[jwt_settings.REVOKE_TOKEN_CLAIM]),
    )
    if len(_tokens) >= REMEMBERED_TOKENS:
        _tokens.clear()
    _tokens[key] = identity
    return identity


async def admitted(identity: Identity) -> Admission | None:
    """Return the identity with its rights; None if `still_allowed` rejects it.

    Sockets that come in at the same moment share one check. Raises django.db.Error.
    """
    rights = await _entering().ask(identity)
    return None if rights is None else (identity, rights)


async def still_allowed(identities: Iterable[Identity]) -> dict[Identity, Rights]:
    """Return the rights of each identity whose user is active and may view calls, and whose session or token is valid.

    It takes three queries for all identities: users, sessions, and the agents of users who are not superusers. Raises
    django.db.Error.
    """
    asked = set(identities)
    return await in_thread(lambda: _still_allowed(asked), "auth")


def _still_allowed(asked: set[Identity]) -> dict[Identity, Rights]:
    backend = "django.contrib.auth.backends.ModelBackend"
    may_view = get_user_model()._default_manager.with_perm(PERMISSION, backend=backend)
    read = may_view.only("pk", "password", "is_superuser", get_user_model().USERNAME_FIELD)
    users = read.in_bulk({identity.user_id for identity in asked})
    keys = {identity.session_key for identity in asked if identity.session_key is not None}
    sessions = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    decoded = {session.session_key: session.get_decoded() for session in sessions} if keys else {}
    agents = agents_of_each(users.values())
    rights = {pk: Rights(user.get_username(), agents[pk]) for pk, user in users.items()}
    return {
        identity: rights[identity.user_id]
        for identity in asked
        if (user := users.get(identity.user_id)) is not None
        and (
            _has_password(user, identity.password_hash)
            if identity.session_key is None
            else _is_session_of(user, decoded.get(identity.session_key, {}))
        )
    }


def _has_password(user: AbstractBaseUser, password_hash: str | None) -> bool:
    return password_hash is not None and constant_time_compare(password_hash, get_md5_hash_password(user.password))


def _is_session_of(user: AbstractBaseUser, session: dict[str, Any]) -> bool:
    """Tell whether this is a session of the user. An ended session is empty; a changed password changes the hash.

    It checks the same as Django does at each request.
    """
    if session.get(SESSION_KEY) != user._meta.pk.value_to_string(user):
        return False
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(session.get(HASH_SESSION_KEY, ""), good) for good in hashes)


def is_own_origin(scope: dict[str, Any]) -> bool:
    """Tell whether a page of this site, or of an origin in CSRF_TRUSTED_ORIGINS, opens the socket.

    A session cookie counts only there.
    """
    origin, host = _header(scope, b"origin"), _header(scope, b"host")
    if not origin or not host:
        return False
    if is_trusted_origin(origin):
        return True
    scheme = "https" if scope.get("scheme") in ("wss", "https") else "http"
    return origin == f"{scheme}://{host}" and is_allowed_host(host)


def is_trusted_origin(origin: str) -> bool:
    """Tell whether CSRF_TRUSTED_ORIGINS has this origin. Django's middleware reads the wildcards, as for forms."""
    forms = CsrfViewMiddleware(lambda request: HttpResponse())
    if origin in forms.allowed_origins_exact:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return any(is_same_domain(parts.netloc, domain) for domain in forms.allowed_origin_subdomains[parts.scheme])


def is_allowed_host(host: str) -> bool:
    allowed = settings.ALLOWED_HOSTS or (["localhost", ".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def echoed_subprotocol(scope: dict[str, Any]) -> str | None:
    """Return `callsite.v1` if the client offered it, else None; never return the sub-protocol that holds the token."""
    return SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", []) else None


def offered_token(scope: dict[str, Any]) -> str | None:
    """Return the JWT that a client shows in the header, as a sub-protocol or in the query; None if it shows none."""
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
