"""Notices about webhooks on the live page: none has come, some wait for a call, failed or were refused, and why.

Staff users who may view deliveries and are not limited to agents get numbers, reasons and links. Other users get a
plain sentence that tells them whom to ask. Each query reads an index and at most COUNTED rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from calls.access import agents_of
from calls.models import Call
from calls.notices import Notice
from webhooks.models import RefusedRequests, WebhookDelivery

COUNTED = 1_000
RECENT = timedelta(hours=24)
PERMISSION = "webhooks.view_webhookdelivery"
Outcome, Reason = WebhookDelivery.Outcome, RefusedRequests.Reason
TOLD: dict[str, tuple[tuple[str, str], str]] = {
    Outcome.UNMATCHED: (
        ("webhook waits for a call", "webhooks wait for a call"),
        "callsite does not know the call. Register calls before they begin, let ElevenLabs ask "
        "/webhooks/elevenlabs/conversation-init, or set ELEVENLABS_CREATE_UNKNOWN_CALLS=true.",
    ),
    Outcome.REJECTED: (
        ("webhook was not understood", "webhooks were not understood"),
        "The delivery names the field. Look at where the webhook or the tool is set up in ElevenLabs.",
    ),
    Outcome.FAILED: (
        ("webhook failed", "webhooks failed"),
        "The delivery has the reason. Mend it, then apply the delivery again.",
    ),
}
MENDS = {
    Reason.MISSING: "They had no ElevenLabs-Signature. ElevenLabs sends it once its webhook has a secret.",
    Reason.MALFORMED: "Their ElevenLabs-Signature was not in ElevenLabs' form. A proxy may change it.",
    Reason.STALE: "Their signatures were more than 30 minutes old. Check this server's clock.",
    Reason.AHEAD: "Their signatures were more than 5 minutes ahead. Check this server's clock.",
    Reason.WRONG: "Set ELEVENLABS_WEBHOOK_SECRET to the secret that ElevenLabs shows with a new webhook (wsec_…).",
    Reason.TOOL_SECRET: "Let the tool send Authorization: Bearer with the value of ELEVENLABS_TOOL_SECRET.",
    Reason.NO_SECRET: "Set ELEVENLABS_WEBHOOK_SECRET and ELEVENLABS_TOOL_SECRET, and start callsite again.",
    Reason.TOO_LARGE: "Their bodies were above WEBHOOK_MAX_BYTES or WEBHOOK_TURN_MAX_BYTES. Raise it if they must be.",
}
STRANGERS = {Reason.MISSING, Reason.MALFORMED}  # anybody on the internet sends such requests
ASK = "Ask whoever administers callsite: they see here what is missing."


def tell(request: HttpRequest) -> list[Notice]:
    """Return the notices about the last 24 hours for the user of this request."""
    since = timezone.now() - RECENT
    refused = _refused(since)
    if not (request.user.is_staff and request.user.has_perm(PERMISSION) and agents_of(request.user) is None):
        if _nothing_came():
            return [Notice("callsite is not connected yet.", ASK)]
        trouble = any(_kept(since).values()) or refused.keys() - STRANGERS
        return [Notice("Some calls could not be shown.", ASK)] if trouble else []
    told = [_told_of_kept(outcome, count) for outcome, count in _kept(since).items() if count]
    may_see_counts = request.user.has_perm("webhooks.view_refusedrequests")
    told += [_told_of_refused(reason, count, may_see_counts=may_see_counts) for reason, count in refused.items()]
    if _nothing_came() and not refused.keys() - STRANGERS:
        told.append(_told_of_nothing(request))
    return told


def _nothing_came() -> bool:
    """Tell whether there is neither a delivery nor a call. A stored live turn leaves no delivery, but it has a call."""
    return not WebhookDelivery.objects.exists() and not Call.objects.exists()


def _kept(since: datetime) -> dict[str, int]:
    """Count the deliveries since then, per outcome in TOLD. Only the newest COUNTED of each outcome are looked at."""
    newest = WebhookDelivery.objects.order_by("-id").values_list("received_at", flat=True)
    return {outcome: sum(at >= since for at in newest.filter(outcome=outcome)[:COUNTED]) for outcome in TOLD}


def _refused(since: datetime) -> dict[str, int]:
    counts = RefusedRequests.objects.filter(hour__gte=since - timedelta(hours=1)).order_by("reason")
    return dict(counts.values_list("reason").annotate(Sum("count")))


def _told_of_kept(outcome: str, count: int) -> Notice:
    (one, many), fix = TOLD[outcome]
    number = f"{COUNTED:,} or more" if count == COUNTED else f"{count:,}"
    url = f"{reverse('admin:webhooks_webhookdelivery_changelist')}?outcome__exact={outcome}"
    return Notice(f"{number} {one if count == 1 else many}.", fix, url)


def _told_of_refused(reason: str, count: int, *, may_see_counts: bool) -> Notice:
    verb = "webhook was" if count == 1 else "webhooks were"
    url = f"{reverse('admin:webhooks_refusedrequests_changelist')}?reason__exact={reason}"
    text = f"{count:,} {verb} refused in the last 24 hours: {Reason(reason).label}."
    return Notice(text, MENDS[Reason(reason)], url if may_see_counts else "")


def _told_of_nothing(request: HttpRequest) -> Notice:
    address = request.build_absolute_uri(reverse("post-call"))
    return Notice("No webhook has come yet.", f"In ElevenLabs, set the post-call webhook to {address}.")
