"""The recording of a call: its properties, and where its file is."""

from __future__ import annotations

from datetime import datetime

from django.db import models, transaction

from calls.models.call import Call


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

    @classmethod
    def keep(cls, call: Call, *, file: str, size_bytes: int, sha256: str, event_time: datetime) -> Call:
        """Link a stored file to its call, unless the call has a newer recording; return the call."""
        with transaction.atomic(savepoint=False):
            call = call.locked()
            recording = cls.objects.filter(call=call).first() or cls(call=call)
            if recording.event_time is None or event_time > recording.event_time:
                recording.file.name = file
                recording.size_bytes, recording.sha256, recording.event_time = size_bytes, sha256, event_time
                recording.save()
            return call
