"""`Idempotency-Key`: a dial that is sent again gets the answer of the first dial, and no phone rings twice.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import Error, IntegrityError, transaction
from django.utils import timezone

from calls.models import Call
from upstream.dialing import LONGEST_SECONDS
from upstream.models import DialRequest

logger = logging.getLogger(__name__)
KEPT = timedelta(hours=24)


class KeyMisused(Exception):
    """A key cannot be used. `status` is the HTTP status to answer with.

    409: the first dial with the key is under way. 422: the key came with another body before.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Begun(NamedTuple):
    """The result of `begin`: the first `request` with a key and its call, or the `former` request that had the key."""

    request: DialRequest | None
    call: Call | None
    former: DialRequest | None = None


def begin(user: Any, key: str, asked: Any, register: Callable[[], Call]) -> Begun:
    """Commit the call together with its key, or find the former request with this key. Raises KeyMisused."""
    if not key:
        return Begun(None, register())
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    now = timezone.now()
    DialRequest.objects.filter(created_at__lte=now - KEPT).delete()
    try:
        with transaction.atomic():
            request = DialRequest.objects.create(user=user, key=key, digest=digest, created_at=now)
            request.call = register()
            request.save(update_fields=["call"])
            return Begun(request, request.call)
    except IntegrityError:
        former = DialRequest.objects.select_related("call").filter(user=user, key=key).first()
        if former is None:
            raise
    if former.digest != digest:
        raise KeyMisused(422, "This Idempotency-Key came with another body before.")
    if former.answer_status is None and now - former.created_at < timedelta(seconds=LONGEST_SECONDS):
        raise KeyMisused(409, "The dial with this Idempotency-Key is still under way.")
    return Begun(None, former.call, former)


def end(request: DialRequest | None, status: int, body: Any) -> None:
    """Store the answer, for later requests with the same key. If storing fails, they are told that it is unknown."""
    if request is None:
        return
    request.answer_status, request.answer_body = status, body
    try:
        request.save(update_fields=["answer_status", "answer_body"])
    except Error as error:
        logger.error("The answer to a dial was not kept: %s", type(error).__name__)
