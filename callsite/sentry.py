"""Send errors to Sentry. callsite imports this module only if SENTRY_DSN is set.

An event is built from a line of the log, field by field: the fault, its place, and the ids. So it holds no body,
header, query string, local variable, user or message of an exception. No integration of the SDK is on.
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
QUIET = ("sentry_sdk", "urllib3", "django.security")  # the SDK's own errors, and faults of strangers' requests
_TAGS = ("route", "type", "outcome", "step", "answer")

logger = logging.getLogger(__name__)


def start() -> None:
    """Report log lines of level ERROR from now on."""
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
    """Hands lines of level ERROR to the SDK, whose thread sends them. The SDK keeps at most 100 unsent events.

    callsite's own loggers report every such line, other loggers only lines with an exception. At most EVENTS_PER_MINUTE
    are sent, so that a storm of errors does not slow replies; the next event says how many were left out.
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
        with contextlib.suppress(Exception):  # the log has the line already; a failure to report it must do no harm
            event = event_of(record)
            if self._left_out:
                event["contexts"]["line"]["events_left_out"], self._left_out = self._left_out, 0
            sentry_sdk.capture_event(event)

    def flush(self) -> None:
        """Wait until the events are sent: a process that ends would drop them."""
        sentry_sdk.flush(FLUSH_SECONDS)


def event_of(record: logging.LogRecord) -> Event:
    """Build the event of a log line. A line of another logger is reported as its template, without the values."""
    line = line_of(record, lambda: str(record.msg))
    apart = ("time", "level", "logger", "event", "exception")
    fields: dict[str, Any] = {name: _shown(value) for name, value in line.items() if name not in apart}
    event: Event = {
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
        "logger": record.name,
        "logentry": {"message": line["event"]},
        "tags": {name: str(fields[name]) for name in _TAGS if name in fields},
        "contexts": {"line": fields},  # the SDK cuts "extra" to ten fields
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
    """Return the fault of a DSN; empty if there is none."""
    try:
        Dsn(dsn)
    except BadDsn as error:
        return str(error)
    except ValueError:
        return "The port is no number"
    return ""
