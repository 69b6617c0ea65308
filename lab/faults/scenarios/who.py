"""Nobody listens who may not: refused on connecting, or closed within 5 s of losing the permission."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lab.faults import database
from lab.faults.database import CallIds, in_database
from lab.faults.history import Finding
from lab.faults.site import SECRET_KEY, Pair, Site
from lab.faults.subscribers import connect
from lab.faults.table import Row

ORDER = 70
BOUND_SECONDS = 5.0
TOKEN_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Visitor:
    """A visitor with headers, and whether the server should let the visitor in."""

    name: str
    headers: dict[str, str]
    welcome: bool = False


async def run(site: Site, folder: Path) -> list[Row]:
    pair = await site.callsite()
    (call,) = await in_database(lambda: database.register_calls(1))
    visitors = await in_database(lambda: all_visitors(pair))
    entered = await asyncio.gather(*(enters(pair, visitor) for visitor in visitors))
    findings = [
        Finding("let in" if visitor.welcome < came_in else "kept out", visitor.name, str(visitor.headers)[:60])
        for visitor, came_in in zip(visitors, entered, strict=True)
        if came_in != visitor.welcome
    ]
    refused = sum(not visitor.welcome for visitor in visitors)
    closed = await asyncio.gather(
        loses(pair, call, database.take_permissions),
        loses(pair, call, lambda user: database.set_active(user, False)),
        loses(pair, call, None),
    )
    for name, (seconds, said, code) in zip(("permission", "account", "token"), closed, strict=True):
        if seconds > BOUND_SECONDS or (said, code) != ("AUTHENTICATION_FAILED", 4401):
            findings.append(Finding("still listens", f"{name} lost", f"{seconds:.1f} s, {said}, {code}"))
    return [
        Row(
            "nobody listens who may not",
            "no token, expired, wrong key, alg none, refresh token, no permission, foreign Origin; "
            "permission, account and token lost while listening",
            f"refused: {refused} of {refused}; closed with 4401 after "
            + ", ".join(f"{seconds:.1f} s" for seconds, _, _ in closed),
            findings,
        )
    ]


def all_visitors(pair: Pair) -> list[Visitor]:
    user, stranger = database.add_user(), database.add_user(may_view=False)
    claims: dict[str, Any] = jwt.decode(database.token_of(user), options={"verify_signature": False})
    here, cookie = pair.webs[0].url, database.session_cookie(user)

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def signed(key: str = SECRET_KEY, algorithm: str = "HS256", **other: Any) -> dict[str, str]:
        return bearer(jwt.encode(claims | other, key, algorithm=algorithm))

    return [
        Visitor("a good token", bearer(database.token_of(user)), welcome=True),
        Visitor("a good token made here", signed(), welcome=True),
        Visitor("a session on this site", {"Cookie": cookie, "Origin": here}, welcome=True),
        Visitor("nobody", {}),
        Visitor("an expired token", signed(exp=time.time() - 1)),
        Visitor("a token of another key", signed("another-" * 8)),
        Visitor("a token without signature", signed("", "none")),
        Visitor("a token of another kind", signed(token_type="refresh")),
        Visitor("a user without the permission", bearer(database.token_of(stranger))),
        Visitor("a session on a foreign page", {"Cookie": cookie, "Origin": "https://elsewhere.example"}),
        Visitor("a session on no page", {"Cookie": cookie}),
    ]


async def enters(pair: Pair, visitor: Visitor) -> bool:
    try:
        async with connect(pair.sockets[0], "", additional_headers=visitor.headers):
            return True
    except InvalidStatus as refusal:
        if refusal.response.status_code != 403:
            raise
        return False


async def loses(pair: Pair, call: CallIds, lose: Callable[[int], None] | None) -> tuple[float, str, int]:
    """Take a listener's permission away (None: its token ends).

    Return the seconds until the close, the error, the code.
    """
    user = await in_database(database.add_user)
    token = await in_database(lambda: database.token_of(user, seconds=60 if lose else TOKEN_SECONDS))
    expires_at = jwt.decode(token, options={"verify_signature": False})["exp"]
    async with connect(pair.sockets[0], token) as socket:
        await socket.send(json.dumps({"subscribe": call.call_sid}))
        assert json.loads(await socket.recv())["type"] == "subscription_confirmed"
        if lose is not None:
            await in_database(lambda: lose(user))
        since = time.time() if lose is not None else expires_at
        said = ""
        try:
            async with asyncio.timeout(BOUND_SECONDS + TOKEN_SECONDS + 1):
                while True:
                    said = json.loads(await socket.recv()).get("code", said)
        except (TimeoutError, ConnectionClosed):
            return time.time() - since, said, socket.close_code or 0
