"""Call, its turns and its recording.

A call changes only through its verbs and `save()`: a queryset's `update()` and `bulk_create()` send no signal, and
nobody would hear of it. The database is the log that everything else can be read back from.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from calls.outcome import CallData, CallFailure, Parties
from calls.redaction import redacted
from calls.search.words import FIELDS, SOURCES, WordsField, distinct_words

IDENTIFIER_MAX_LENGTH = 255


class CallQuerySet(models.QuerySet["Call"]):
    """Look-ups by name; those called `get_…` raise `Call.DoesNotExist`."""

    def get_by_call_sid(self, call_sid: str) -> Call:
        return self.get(call_sid=call_sid)

    def get_by_conversation_id(self, conversation_id: str) -> Call:
        return self.get(conversation_id=conversation_id)

    def named(self, name: str) -> Call | None:
        """The call that has or had this name; a present `call_sid` wins over another call's `conversation_id`."""
        found = list(self.filter(Q(call_sid=name) | Q(conversation_id=name))[:2])
        if not found:  # a query of its own: an OR with a former name would read the whole table
            found = list(self.filter(aliases__name=name)[:1])
        return min(found, key=lambda call: call.call_sid != name, default=None)

    def get_by_identifier(self, identifier: str) -> Call:
        """The same; raises `Call.DoesNotExist`."""
        call = self.named(identifier)
        if call is None:
            raise self.model.DoesNotExist(f"No call with the name {identifier!r}")
        return call


CallManagerFromQuerySet = models.Manager.from_queryset(CallQuerySet)


class CallManager(CallManagerFromQuerySet["Call"]):
    """Calls without their words, which only the database compares."""

    def get_queryset(self) -> CallQuerySet:
        return cast(CallQuerySet, super().get_queryset().defer("search_words"))


class Call(models.Model):
    """One phone or web conversation with an agent. `call_sid` is ours, `conversation_id` is ElevenLabs'."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress", "In progress"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    class NameRank(models.IntegerChoices):
        """How good a `call_sid` is: a better one takes its place."""

        STAND_IN = 0, "The conversation ID, in place of a better one"
        PROVIDER = 1, "The telephone provider's"
        CLAIMED = 2, "Told by the agent, in a variable or a live turn"
        INITIATION = 3, "Of conversation-init"
        REGISTERED = 4, "Registered or dialled"

    class Source(models.IntegerChoices):
        """Who tells the agent, the direction and the numbers of a call; a better one is believed."""

        FAILURE = 1
        INITIATION = 2
        REGISTERED = 3
        TRANSCRIPTION = 4

    class AnsweredBy(models.TextChoices):
        HUMAN = "human", "Human"
        MACHINE = "machine", "Machine"
        FAX = "fax", "Fax"
        UNKNOWN = "unknown", "Unknown"

    class Direction(models.TextChoices):
        INBOUND = "inbound", "Inbound"
        OUTBOUND = "outbound", "Outbound"

    call_sid = models.CharField("call SID", max_length=IDENTIFIER_MAX_LENGTH, unique=True)
    conversation_id = models.CharField(
        "conversation ID", max_length=IDENTIFIER_MAX_LENGTH, unique=True, null=True, blank=True
    )
    name_rank = models.PositiveSmallIntegerField(choices=NameRank, default=NameRank.REGISTERED, editable=False)
    driver_id = models.CharField("driver ID", max_length=255, blank=True)
    agent_id = models.CharField("agent ID", max_length=255, blank=True)
    agent_name = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.IN_PROGRESS)
    direction = models.CharField(max_length=16, choices=Direction, blank=True)
    from_number = models.CharField(max_length=64, blank=True)
    to_number = models.CharField(max_length=64, blank=True)

    party_sources = models.JSONField(default=dict, editable=False, help_text="By field, the Source that told it.")
    answered_by = models.CharField(max_length=16, choices=AnsweredBy, blank=True)
    call_start_time = models.DateTimeField(null=True, blank=True)
    call_end_time = models.DateTimeField(null=True, blank=True, help_text="The time of the event that ended the call.")
    call_duration_seconds = models.DecimalField(null=True, blank=True)
    cost = models.DecimalField(null=True, blank=True, help_text="ElevenLabs' credits.")
    cost_usd = models.DecimalField("cost in US dollars", null=True, blank=True)
    call_successful = models.BooleanField(
        null=True, blank=True, help_text="Whether the goal was reached, as the analysis judges."
    )
    transcript_summary = models.TextField(blank=True)
    failure_reason = models.TextField(blank=True)
    analysis_data = models.JSONField(null=True, blank=True)
    metadata_json = models.JSONField("metadata", null=True, blank=True)
    final_transcript = models.JSONField(null=True, blank=True)

    last_sequence_number = models.PositiveIntegerField(default=0, editable=False)
    final_sequence_number = models.PositiveIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="The last turn's number when the call ended. Later turns are kept and pushed to nobody.",
    )
    has_history = models.BooleanField(default=False, editable=False, help_text="Some of its turns came in histories.")
    numbering = models.PositiveIntegerField(
        default=0, editable=False, help_text="How often the turns were numbered anew: by a merge, or by a history."
    )
    transcription_time = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="The time of the newest transcription event applied; an older one changes nothing.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    search_words = WordsField(null=True, editable=False)

    former_status: str | None = None  # what it was before a verb ended it; not stored

    objects = CallManager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="call_sid_not_empty", condition=~Q(call_sid="")),
            models.CheckConstraint(name="call_conversation_id_not_empty", condition=~Q(conversation_id="")),
            models.CheckConstraint(
                name="call_status_known", condition=Q(status__in=["in_progress", "completed", "failed"])
            ),
            models.CheckConstraint(
                name="call_ended_or_in_progress",
                condition=Q(status="in_progress", final_sequence_number__isnull=True)
                | (~Q(status="in_progress") & Q(final_sequence_number__isnull=False)),
            ),
            models.CheckConstraint(
                name="call_final_not_above_last",
                condition=Q(final_sequence_number__isnull=True)
                | Q(final_sequence_number__lte=F("last_sequence_number")),
            ),
            models.CheckConstraint(
                name="call_duration_not_negative",
                condition=Q(call_duration_seconds__isnull=True) | Q(call_duration_seconds__gte=0),
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="call_status"),
            models.Index(fields=["driver_id", "-id"], name="call_driver"),
            models.Index(fields=["agent_id", "-id"], name="call_agent"),
            models.Index(fields=["direction", "-id"], name="call_direction"),
            models.Index(fields=["call_successful", "-id"], name="call_successful"),
            models.Index(Coalesce("call_start_time", "created_at"), name="call_started"),
            models.Index(fields=["-call_end_time", "-id"], name="call_ended"),
        ]

    def __str__(self) -> str:
        return self.call_sid

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save, with the words that are searched, and let the listeners of `post_save` act in the same transaction."""
        if update_fields is None:
            self.search_words = distinct_words(self.searched_texts())
        else:
            update_fields = self._with_words(update_fields)
        with transaction.atomic(savepoint=False):
            super().save(update_fields=update_fields, **kwargs)

    @property
    def ended(self) -> bool:
        return self.status != self.Status.IN_PROGRESS

    def searched_texts(self) -> list[str]:
        """What search looks in: some fields and what was said, with secrets masked, so that nobody guesses those."""
        transcript = self.final_transcript if isinstance(self.final_transcript, list) else []
        said = [item.get("message") for item in transcript if isinstance(item, dict)]
        told = [getattr(self, name) or "" for name in FIELDS]
        return redacted([*told, *(text for text in said if isinstance(text, str))])

    # --- verbs: each owns its transaction and its lock, and may be repeated ---------------------------------

    @classmethod
    def register(cls, *, call_sid: str = "", driver_id: str = "", **fields: Any) -> Call:
        """A call that has begun elsewhere. Without a `call_sid` it gets `EL_{driver_id}_{unix seconds}_{random}`."""
        made = f"EL_{driver_id[:200]}_{int(time.time())}_{secrets.token_urlsafe(12)}"
        call = cls(call_sid=call_sid or made, driver_id=driver_id, **fields)
        call.save(force_insert=True)
        return call

    def update_post_call_data(self, data: CallData) -> Call:
        """The conversation is over and analysed: the call completes (or fails), and keeps what is known of it.

        The newest telling wins, whatever the order of arrival; a completed call never goes back to failed.
        """
        with transaction.atomic(savepoint=False):
            call = self._locked()
            if changed := call._take_post_call_data(data):
                call.save(update_fields=[*changed, "updated_at"])
            return call

    def record_failed(self, failure: CallFailure) -> Call:
        """The call never became a conversation. Once a transcription has been applied it only adds who took part."""
        with transaction.atomic(savepoint=False):
            call = self._locked()
            changed = call._take_parties(failure.parties, call.Source.FAILURE)
            newest = call.call_end_time is None or failure.event_time > call.call_end_time
            if call.transcription_time is None and newest and call.status != self.Status.COMPLETED:
                changed += call._end(self.Status.FAILED)
                changed += call._set(
                    call_end_time=failure.event_time,
                    failure_reason=failure.failure_reason,
                    metadata_json=failure.metadata,
                )
            if changed:
                call.save(update_fields=[*changed, "updated_at"])
            return call

    def keep_recording(self, *, file: str, size_bytes: int, sha256: str, event_time: datetime) -> Call:
        """Link a recording that already lies in the storage; a newer one takes the older one's place."""
        with transaction.atomic(savepoint=False):
            call = self._locked()
            recording = CallRecording.objects.filter(call=call).first() or CallRecording(call=call)
            if recording.event_time is None or event_time > recording.event_time:
                recording.file.name = file
                recording.size_bytes, recording.sha256, recording.event_time = size_bytes, sha256, event_time
                recording.save()
            return call

    def learn_parties(self, parties: Parties, source: Source) -> Call:
        """Keep who takes part, where no better source has told it."""
        with transaction.atomic(savepoint=False):
            call = self._locked()
            if changed := call._take_parties(parties, source):
                call.save(update_fields=[*changed, "updated_at"])
            return call

    def fill(self, fields: Mapping[str, Any]) -> Call:
        """Register a call that only webhooks made: what a registration tells, and webhooks do not know better."""
        with transaction.atomic(savepoint=False):
            call = self._locked()
            told = {name: value for name, value in fields.items() if value not in (None, "")}
            parties = Parties(**{name: told.pop(name) for name in Parties.__slots__ if name in told})
            changed = call._take_parties(parties, self.Source.REGISTERED)
            changed += call._set(**told, name_rank=self.NameRank.REGISTERED)
            call.save(update_fields=[*changed, "updated_at"])
            return call

    def learn_who_answered(self, answered_by: str) -> Call:
        """Keep the verdict of an answering machine detection."""
        with transaction.atomic(savepoint=False):
            call = self._locked()
            if answered_by and call.answered_by != answered_by:
                call.answered_by = answered_by
                call.save(update_fields=["answered_by", "updated_at"])
            return call

    def _with_words(self, names: Iterable[str]) -> list[str]:
        """Fields that are to be saved; where one of them changes the words, with these, as they are now."""
        names = list(names)
        if SOURCES.isdisjoint(names):
            return names
        self.search_words = distinct_words(self.searched_texts())
        return [*names, "search_words"]

    # --- inside the lock ------------------------------------------------------------------------------------

    def _locked(self) -> Call:
        return Call.objects.select_for_update(no_key=True).get(pk=self.pk)

    def _take_post_call_data(self, data: CallData) -> list[str]:
        completed = not data.failed or self.status == self.Status.COMPLETED
        changed = self._end(self.Status.COMPLETED if completed else self.Status.FAILED)
        if self.transcription_time is None or data.event_time > self.transcription_time:
            changed += self._take_parties(data.parties, self.Source.TRANSCRIPTION)
            changed += self._set(
                transcription_time=data.event_time,
                call_end_time=data.event_time,
                call_start_time=self.call_start_time or data.start_time,
                call_duration_seconds=data.duration_seconds,
                cost=data.cost,
                cost_usd=data.cost_usd,
                call_successful=data.call_successful,
                transcript_summary=data.transcript_summary,
                failure_reason=data.failure_reason,
                analysis_data=data.analysis,
                metadata_json=data.metadata,
                final_transcript=data.final_transcript,
            )
        return changed

    def _end(self, status: str) -> list[str]:
        """Reach a terminal state; the first time, note up to which turn subscribers hear the call."""
        if self.status == status:
            return []
        if not self.ended:
            self.final_sequence_number = self.last_sequence_number
        self.former_status, self.status = self.status, status
        return ["status", "final_sequence_number"]

    def _take_parties(self, parties: Parties, source: Source) -> list[str]:
        """Who takes part, as one source tells it; a better source's word is kept, whichever came first."""
        said = {name: getattr(parties, name) for name in parties.__slots__ if getattr(parties, name)}
        said = {
            name: value
            for name, value in said.items()
            if (known := self.source_of(name)) < source or (known == source and value != getattr(self, name))
        }
        if not said:
            return []
        return self._set(**said, party_sources={**self.party_sources, **dict.fromkeys(said, int(source))})

    def source_of(self, name: str) -> int:
        """Who told a field. What was known before sources were noted counts as registered."""
        known = self.Source.REGISTERED if getattr(self, name) else 0
        source: int = self.party_sources.get(name, known)
        return source

    def _set(self, **values: Any) -> list[str]:
        for name, value in values.items():
            setattr(self, name, value)
        return list(values)


class CallAlias(models.Model):
    """A name that a call had, or that somebody else has for it. It keeps working wherever a call is named."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=IDENTIFIER_MAX_LENGTH, unique=True)

    class Meta:
        verbose_name = "former name"

    def __str__(self) -> str:
        return self.name


class CallTranscription(models.Model):
    """A turn: one utterance, numbered 1, 2, 3 … within its call without gaps."""

    class SpeakerType(models.TextChoices):
        AGENT = "agent", "Agent"
        DRIVER = "driver", "Driver"

    # no index of its own: the unique number within the call begins with it
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="transcriptions", db_index=False)
    sequence_number = models.PositiveIntegerField()
    speaker_type = models.CharField(max_length=16, choices=SpeakerType)
    message_text = models.TextField()
    timestamp = models.DateTimeField(help_text="When it was said, as the agent tells; else when it arrived.")
    turn_id = models.CharField(  # noqa: DJ001  (null: any number of turns of a call may have none)
        "turn ID", max_length=255, null=True, blank=True, help_text="The sender's own; makes a repeat recognisable."
    )
    history_position = models.PositiveIntegerField(
        null=True, blank=True, editable=False, help_text="Its place in the histories that the agent sends."
    )
    told_singly = models.BooleanField(default=True, editable=False, help_text="It came by itself too.")
    from_history = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="A history told it first."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False, help_text="When it came.")

    class Meta:
        verbose_name = "turn"
        ordering = ["call", "sequence_number"]
        constraints = [
            models.UniqueConstraint(fields=["call", "sequence_number"], name="turn_number_unique_in_call"),
            models.UniqueConstraint(
                fields=["call", "turn_id"], condition=Q(turn_id__isnull=False), name="turn_id_unique_in_call"
            ),
            models.CheckConstraint(name="turn_number_from_one", condition=Q(sequence_number__gte=1)),
            models.CheckConstraint(name="turn_speaker_known", condition=Q(speaker_type__in=["agent", "driver"])),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} #{self.sequence_number}"


class CallRecording(models.Model):
    """The audio of a call, an MP3 in the default storage."""

    CONTENT_TYPE = "audio/mpeg"

    call = models.OneToOneField(Call, on_delete=models.CASCADE, related_name="recording")
    file = models.FileField(max_length=255)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField("SHA-256", max_length=64)
    event_time = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "recording"

    def __str__(self) -> str:
        return f"Recording of call {self.call_id}"
