"""A call's row and its verbs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models, transaction

from calls.models import effects
from calls.models.call_in_database import CONSTRAINTS, INDEXES
from calls.models.lookups import CallManager
from calls.outcome import CallFailure, Parties, PostCallData
from calls.search.gathering import WRITTEN, gather_words
from calls.search.words import SOURCES, VERSION, WordsField

IDENTIFIER_MAX_LENGTH = 255


class Call(models.Model):
    """One phone or web conversation with an agent. `call_sid` is callsite's own, `conversation_id` is ElevenLabs'."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress", "In progress"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    class NameRank(models.IntegerChoices):
        """The rank of a `call_sid`: a name of a higher rank replaces it."""

        STAND_IN = 0, "The conversation ID, in place of a better one"
        PROVIDER = 1, "The telephone provider's"
        CLAIMED = 2, "Told by the agent, in a variable or a live turn"
        INITIATION = 3, "Of conversation-init"
        REGISTERED = 4, "Registered or dialled"

    class Source(models.IntegerChoices):
        """The source of a call's agent, direction and numbers; a higher source replaces the values of a lower one."""

        FAILURE = 1
        INITIATION = 2
        REGISTERED = 3
        TRANSCRIPTION = 4

    class AnsweredBy(models.TextChoices):
        HUMAN = "human", "Human"
        MACHINE = "machine", "Machine"
        FAX = "fax", "Fax"
        UNKNOWN = "unknown", "Unknown"

    class DialState(models.TextChoices):
        """How far the dial has come, for a call that callsite places; empty for all other calls."""

        ASKING = "asking", "ElevenLabs is being asked"
        PLACED = "placed", "Placed"
        REFUSED = "refused", "Refused"
        UNKNOWN = "unknown", "Unknown: no answer came"

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
    dial_state = models.CharField(
        max_length=16, choices=DialState, blank=True, default="", db_default="", editable=False
    )
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
    reviewed_at = models.DateTimeField(null=True, blank=True, editable=False)
    reviewed_by = models.CharField(
        max_length=255, blank=True, default="", db_default="", editable=False, help_text="The name of a user."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    search_words = WordsField(null=True, editable=False)
    # rows that are older than these columns have version 0 and are not behind, by the defaults of the database
    words_version = models.PositiveSmallIntegerField(default=VERSION, db_default=0, editable=False)
    words_upto = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Its turns up to this number are among its words."
    )
    words_behind = models.BooleanField(
        default=True, db_default=False, editable=False, help_text="There may be turns that are not among its words."
    )

    former_status: str | None = None  # the status before a verb ended the call; not stored
    is_locked = False  # the row was read and locked in the present transaction; not stored

    objects = CallManager()

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("end_call", "Can end calls"),
            ("dial_call", "Can dial calls"),
            ("export_call", "Can export calls"),
            ("review_call", "Can review calls"),
        ]
        constraints = CONSTRAINTS
        indexes = INDEXES

    def __str__(self) -> str:
        return self.call_sid

    def save(self, *, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save the call with its words for search; receivers of `post_save` act in the same transaction.

        A caller that changes searched fields of a stored call holds its row's lock, because its turns are among its
        words.
        """
        if self.dial_state not in ("", self.DialState.PLACED) and self.conversation_id:
            self.dial_state = self.DialState.PLACED  # there is a conversation, whatever the dial's answer was
            update_fields = update_fields and [*update_fields, "dial_state"]
        with transaction.atomic(savepoint=False):
            if update_fields is None:
                gather_words([self])
            else:
                update_fields = list(update_fields)
                if not SOURCES.isdisjoint(update_fields):
                    gather_words([self])
                    update_fields += WRITTEN
            super().save(update_fields=update_fields, **kwargs)

    @property
    def ended(self) -> bool:
        return self.status != self.Status.IN_PROGRESS

    # --- verbs: each owns its transaction and its lock, and may be repeated ---------------------------------

    @classmethod
    def register(cls, *, call_sid: str = "", driver_id: str = "", **fields: Any) -> Call:
        """Create a call that has begun elsewhere.

        Without a `call_sid` the call gets `EL_{driver_id}_{unix seconds}_{random}`.
        """
        call = cls(call_sid=call_sid or cls.make_call_sid(driver_id), driver_id=driver_id, **fields)
        call.save(force_insert=True)
        return call

    @staticmethod
    def make_call_sid(driver_id: str) -> str:
        """Return a `call_sid` that neither collides nor can be guessed."""
        return f"EL_{driver_id[:200]}_{int(time.time())}_{secrets.token_urlsafe(12)}"

    def update_post_call_data(self, data: PostCallData) -> Call:
        """Complete (or fail) a call whose conversation is over and analysed, and keep what is known of it.

        The newest event wins, whatever the order of arrival; a completed call never goes back to failed.
        """
        with transaction.atomic(savepoint=False):
            call = self.locked()
            if changed := effects.take_post_call_data(call, data):
                call.save(update_fields=[*changed, "updated_at"])
            return call

    def record_failed(self, failure: CallFailure) -> Call:
        """Fail a call that never became a conversation. After a transcription this only adds the parties."""
        with transaction.atomic(savepoint=False):
            call = self.locked()
            if changed := effects.take_failure(call, failure):
                call.save(update_fields=[*changed, "updated_at"])
            return call

    def learn_parties(self, parties: Parties, source: Source) -> Call:
        """Keep the agent, direction and numbers of a call, unless a better source has told them."""
        with transaction.atomic(savepoint=False):
            call = self.locked()
            if changed := effects.take_parties(call, parties, source):
                call.save(update_fields=[*changed, "updated_at"])
            return call

    def learn_agent(self, agent_id: str) -> Call:
        """Keep the agent if the call has none."""
        is_new = agent_id and not self.agent_id
        return self.learn_parties(Parties(agent_id=agent_id), self.Source.FAILURE) if is_new else self

    def fill(self, fields: Mapping[str, Any]) -> Call:
        """Register a call that only webhooks made: keep the given fields, unless webhooks know the parties better."""
        with transaction.atomic(savepoint=False):
            call = self.locked()
            told = {name: value for name, value in fields.items() if value not in (None, "")}
            parties = Parties(**{name: told.pop(name) for name in Parties.__slots__ if name in told})
            changed = effects.take_parties(call, parties, self.Source.REGISTERED)
            changed += effects.set_fields(call, **told, name_rank=self.NameRank.REGISTERED)
            call.save(update_fields=[*changed, "updated_at"])
            return call

    def learn_who_answered(self, answered_by: str) -> Call:
        """Keep the verdict of an answering machine detection."""
        with transaction.atomic(savepoint=False):
            call = self.locked()
            if answered_by and call.answered_by != answered_by:
                call.answered_by = answered_by
                call.save(update_fields=["answered_by", "updated_at"])
            return call

    def locked(self) -> Call:
        """Return this call as it is now, with its row locked until the transaction ends.

        If `calls.linking` has just read and locked the row, the next verb uses that and reads nothing.
        """
        if self.is_locked:
            self.is_locked = False
            return self
        return Call.objects.select_for_update(no_key=True).get(pk=self.pk)
