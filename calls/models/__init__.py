"""The models of calls: a call, its names, turns, recording and review, the access to it and the access log.

A call changes only through its verbs and `save()`: a queryset's `update()` and `bulk_create()` send no signal, so no
listener would be told. The database is the log that everything else can be read back from.
"""

from __future__ import annotations

from calls.models.access_log_entry import AccessLogEntry
from calls.models.agent_access import AgentAccess
from calls.models.alias import CallAlias
from calls.models.call import IDENTIFIER_MAX_LENGTH, Call
from calls.models.lookups import CallManager, CallQuerySet
from calls.models.recording import CallRecording
from calls.models.review import CallLabel, ReviewNote
from calls.models.turn import CallTranscription

__all__ = [
    "IDENTIFIER_MAX_LENGTH",
    "AccessLogEntry",
    "AgentAccess",
    "Call",
    "CallAlias",
    "CallLabel",
    "CallManager",
    "CallQuerySet",
    "CallRecording",
    "CallTranscription",
    "ReviewNote",
]
