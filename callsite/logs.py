"""Format the log: one JSON object per line in production, a readable row in development.

Lines of all loggers have the same form: time, level, logger, event, then fields. This module removes what a line must
not hold: the messages of exceptions (they quote values), query strings, control characters.
"""

from __future__ import annotations

import logging
import logging.config
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from types import CodeType
from typing import Any

import msgspec
import structlog
from django.conf import settings
from structlog.typing import EventDict

ROOMS = ("callsite", "calls", "webhooks", "realtime", "upstream")
LEVELS: tuple[str, ...] = ("DEBUG", "INFO", "WARNING", "ERROR")
MAX_LENGTH, MAX_FRAMES, MAX_CHAIN = 1000, 20, 5
_CONFIGURED_BY_OTHERS = ("django", "django.channels.server", "uvicorn", "uvicorn.error")
# a query string ends at a blank, or at a quotation mark before a blank; it may contain such marks, and its `?` may be
# encoded
_QUERY = re.compile(r"(?:\?|%3[Ff])\S+?(?=[\"']?(?:\s|$))")
# Classes of SQLSTATE whose first line names tables, columns and constraints, and never a value. Class 22 does not.
_SAFE_CLASSES = frozenset({"08", "23", "25", "26", "28", "40", "53", "54", "55", "57", "58"})
_SAFE_STATES = frozenset({"42P01", "42703", "42501"})  # no such table, no such column, not allowed
_PLAIN = frozenset({bool, int, float, Decimal, datetime})
_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


def configuration(level: str, *, readable: bool) -> dict[str, Any]:
    """Return Django's LOGGING. `readable`: rows instead of JSON."""
    # uvicorn has configured its own logging by now: it removes these handlers for --no-access-log
    access = ["console"] if logging.getLogger("uvicorn.access").handlers else []
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "callsite.logs.Formatter", "readable": readable}},
        "filters": {"strangers": {"()": "callsite.log_of_strangers.LinesOfStrangers"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["strangers"]}},
        # DEBUG lines of libraries hold statements with their values, and frames with their texts
        "root": {"handlers": ["console"], "level": "INFO" if level == "DEBUG" else level},
        "loggers": {
            **{room: {"level": level} for room in ROOMS},
            **{name: {"handlers": [], "level": "NOTSET", "propagate": True} for name in _CONFIGURED_BY_OTHERS},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.request": {"handlers": [], "level": "ERROR", "propagate": True},  # a 4xx is the sender's fault
            "axes": {"level": "ERROR"},  # callsite.sign_ins writes one line per attempt
            "daphne": {"handlers": [], "level": "WARNING", "propagate": True},
            "websockets.server": {"level": "WARNING"},
            "uvicorn.access": {"handlers": access, "propagate": False},
            # its receive task logs a traceback every second while Redis is away; realtime.hub logs one line
            "channels_redis.pubsub": {"handlers": [], "level": "CRITICAL", "propagate": True},
        },
    }


def configure(logging_settings: dict[str, Any]) -> None:
    """Set up logging. LOGGING_CONFIG names this function: Django calls it with LOGGING once the settings are loaded."""
    logging.config.dictConfig(logging_settings)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _hand_over],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),  # the standard library filters by level
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    # No line names its file, thread or process: to find them out would be a third of a line's cost.
    # https://docs.python.org/3/howto/logging.html#optimization
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, name, False)
    logging._srcfile = None
    if settings.SENTRY_DSN:
        from callsite import sentry

        sentry.start()


def flush() -> None:
    """Flush the handlers, as a server that ends by a signal skips Python's own clean-up."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _hand_over(_logger: Any, _name: str, fields: EventDict) -> tuple[tuple[EventDict], dict[str, Any]]:
    """Make the fields the message of a record, and put an exception where handlers look for it."""
    exc_info = fields.pop("exc_info", None)
    return (fields,), {"exc_info": exc_info}


class Formatter(logging.Formatter):
    """Formats a line as a row (`readable`) or as JSON.

    structlog's formatter copies each record, and costs twice as much.
    """

    def __init__(self, *, readable: bool) -> None:
        super().__init__()
        self._render = _row if readable else _json

    def format(self, record: logging.LogRecord) -> str:
        return self._render(line_of(record, record.getMessage))


def line_of(record: logging.LogRecord, message: Callable[[], str]) -> dict[str, Any]:
    """Return a line's fields, in order. `message` returns the event of a record that structlog did not make."""
    error = record.exc_info[1] if record.exc_info else None
    fields = record.msg
    if not isinstance(fields, dict):
        event = message()
        # asyncio appends the failed task, with its exception's message
        event = event.partition("\n")[0] if error and record.name == "asyncio" else _QUERY.sub("", event)
        fields = {**structlog.contextvars.get_contextvars(), "event": " ".join(event.split())}
    line: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": _clean(fields["event"]),
    }
    for name, value in fields.items():
        if isinstance(value, BaseException):
            line |= describe(value)
        elif value is not None and name != "event":
            line[name] = _clean(value)
    if error is not None:
        line |= describe(error)
        if not record.name.startswith("django.security"):  # a stranger's request, no bug of callsite
            line["exception"] = traceback_of(error)
    return line


def describe(error: BaseException) -> dict[str, Any]:
    """Return the type of an exception, and its message if that cannot quote a value."""
    said = {"error": name_of(error)}
    cause = error.__cause__ if error.__cause__ is not None and type(error).__module__ == "django.db.utils" else error
    state, diag, words = getattr(cause, "sqlstate", None), getattr(cause, "diag", None), None
    if state and diag is not None:
        said["sqlstate"] = state
        if diag.constraint_name:
            said["constraint"] = diag.constraint_name
        if state[:2] in _SAFE_CLASSES or state in _SAFE_STATES:
            words = diag.message_primary
    elif type(cause).__name__ in ("OperationalError", "InterfaceError", "IntegrityError", "PoolTimeout"):
        words = str(cause).strip().partition("\n")[0]  # errors of connecting, of the pool, of SQLite
    elif isinstance(cause, OSError):
        words = cause.strerror
    if words:
        said["reason"] = str(_clean(words))
    return said


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception and of those that led to it, each with the result of `describe`."""
    told = []
    for one in chain_of(error):
        lines = [f'  File "{code.co_filename}", line {line}, in {code.co_qualname}' for code, line in frames_of(one)]
        told.append("\n".join(["Traceback (most recent call last):", *lines, summary_of(one)]))
    return "\n\nWhile that was handled, or because of it:\n\n".join(reversed(told))


def frames_of(error: BaseException) -> Iterable[tuple[CodeType, int]]:
    """Return the innermost frames of an exception's traceback, each with its line number."""
    frames = ((frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__))
    return deque(frames, maxlen=MAX_FRAMES)


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception, then its cause, and so on."""
    one: BaseException | None = error
    for _ in range(MAX_CHAIN):
        if one is None:
            return
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def summary_of(error: BaseException) -> str:
    said = describe(error)
    return ": ".join(said[key] for key in ("error", "sqlstate", "reason") if key in said)


def name_of(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _clean(value: Any) -> Any:
    """Cut text to MAX_LENGTH, on one line, with control characters escaped; numbers and times stay as they are."""
    kind = type(value)
    if kind in _PLAIN or (kind is str and len(value) <= MAX_LENGTH and value.isprintable()):
        return value
    if kind is list or kind is tuple:
        return [_clean(item) for item in value]
    text = str(value)
    text = text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _json(line: Any) -> str:
    return _encoder.encode(line).decode()


_renderer = structlog.dev.ConsoleRenderer(
    colors=sys.stderr.isatty(),
    sort_keys=False,
    timestamp_key="time",
    pad_event_to=0,
    exception_formatter=structlog.dev.plain_traceback,
)


def _row(line: dict[str, Any]) -> str:
    time, kinds = line["time"].strftime("%H:%M:%S.%f")[:-3], (str, int)
    shown = {key: value if isinstance(value, kinds) else _json(value).strip('"') for key, value in line.items()}
    return str(_renderer(None, "", {**shown, "time": time}))
