"""Calls for the tests of a call's page, and functions that read the page's parts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from calls.models import Call, CallTranscription

START = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def entry(role, message, second=None, **more):
    return {"role": role, "message": message, **({} if second is None else {"time_in_call_secs": second}), **more}


def ended(final=None, *, n=0, live=(), status="completed", **fields):
    call = Call.register(call_sid=f"EL_{n}", **{"call_start_time": START} | fields, final_transcript=final)
    CallTranscription.objects.bulk_create(
        CallTranscription(
            call=call,
            sequence_number=number,
            speaker_type=speaker,
            message_text=text,
            timestamp=START + timedelta(seconds=number),
        )
        for number, (speaker, text) in enumerate(live, start=1)
    )
    Call.objects.filter(pk=call.pk).update(
        status=status, last_sequence_number=len(live), final_sequence_number=len(live)
    )
    return call


def address(call, filters=""):
    return reverse("admin:calls_call_change", args=[call.pk]) + (f"?_changelist_filters={filters}" if filters else "")


def plain(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def why(text):
    return plain(re.search(r'<p class="why".*?</p>', text)[0])


def rows(text):
    return [plain(row) for row in re.findall(r'<li class="turn.*?</li>', text, re.DOTALL)]


def staff(client, *codenames):
    user = get_user_model().objects.create_user("ada", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return client


def judged(**results):
    return {
        "evaluation_criteria_results": {
            name: {"result": result, "rationale": f"Because of {name}."} for name, result in results.items()
        }
    }
