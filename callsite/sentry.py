"""Errors on their way to Sentry; imported only where SENTRY_DSN is set.

An event is built from a line of the log, field by field: what failed, where, and the ids. So it holds no body, header,
query string, local variable, user or word of an exception; and no integration wraps or watches anything.
"""

from __future__ import annotations

import contextlib
import logging
from types import CodeType
from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.types import Event
from sentry_sdk.utils import BadDsn, Dsn

from callsite.logs import ROOMS, chain_of, describe, frames_of, line_of, name_of

EVENTS_PER_MINUTE = 30
FLUSH_SECONDS = 2.0
QUIET = ("sentry_sdk", "urllib3", "django.security")  # its own troubles, and what strangers send
_TAGS = ("route", "type", "outcome", "step", "answer")

logger = logging.getLogger(__name__)


def start() -> None:
    """Report what is logged as an error from here on."""
    if fault_of(settings.SENTRY_DSN):
        logger.error("SENTRY_DSN is malformed: errors are reported nowhere but here")
        return
    sentry_sdk.init(
        settings.SENTRY_DSN,
        release=f"callsite@{settings.SPECTACULAR_SETTINGS['VERSION']}",
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        send_default_pii=False,
        send_client_reports=False,
        max_breadcrumbs=0,
    )
    logging.getLogger().addHandler(Reporter())


class Reporter(logging.Handler):
    """Hands lines of level ERROR to the SDK, whose thread sends them; it keeps at most 100 that could not be sent yet.

    Of callsite's own loggers every such line, of others those with an exception. Some a minute, so that a storm of
    errors costs the answers nothing; the next event says how many were left out.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._minute = self._events = self._left_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(QUIET) or not (record.exc_info or record.name.startswith(ROOMS)):
            return
        minute = int(record.created // 60)
        if minute != self._minute:
            self._minute, self._events = minute, 0
        if self._events == EVENTS_PER_MINUTE:
            self._left_out += 1
            return
        self._events += 1
        with contextlib.suppress(Exception):  # the line is in the log; a fault in telling it twice must cost nothing
            event = event_of(record)
            if self._left_out:
                event["contexts"]["line"]["events_left_out"], self._left_out = self._left_out, 0
            sentry_sdk.capture_event(event)

    def flush(self) -> None:
        """Wait for what is on its way, as a process that ends takes it along."""
        sentry_sdk.flush(FLUSH_SECONDS)


def event_of(record: logging.LogRecord) -> Event:
    """What Sentry gets of a line. Of other loggers' lines it is the template, without the values put into it."""
    line = line_of(record, lambda: str(record.msg))
    apart = ("time", "level", "logger", "event", "exception")
    fields: dict[str, Any] = {name: _shown(value) for name, value in line.items() if name not in apart}
    event: Event = {
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
        "logger": record.name,
        "logentry": {"message": line["event"]},
        "tags": {name: str(fields[name]) for name in _TAGS if name in fields},
        "contexts": {"line": fields},  # the SDK would cut "extra" to ten of them
    }
    if record.exc_info and (error := record.exc_info[1]):
        event["exception"] = {"values": [_exception(one) for one in reversed([*chain_of(error)])]}
    return event


def _shown(value: Any) -> float | str:
    return value if isinstance(value, int | float) else str(value)


def _exception(error: BaseException) -> dict[str, Any]:
    frames = [_frame(code, line) for code, line in frames_of(error)]
    return {"type": name_of(error), "value": describe(error).get("reason", ""), "stacktrace": {"frames": frames}}


def _frame(code: CodeType, line: int) -> dict[str, Any]:
    root, path = f"{settings.BASE_DIR}/", code.co_filename
    ours = path.startswith(root) and "site-packages" not in path
    return {"filename": path.removeprefix(root), "function": code.co_qualname, "lineno": line, "in_app": ours}


def fault_of(dsn: str) -> str:
    """What is wrong with a DSN; empty when nothing is."""
    try:
        Dsn(dsn)
    except BadDsn as error:
        return str(error)
    except ValueError:
        return "The port is no number"
    return ""
