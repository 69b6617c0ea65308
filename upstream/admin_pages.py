"""The admin's pages that ask ElevenLabs: dial a call, and examine the set-up."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from rest_framework.exceptions import PermissionDenied as APIPermissionDenied
from rest_framework.exceptions import ValidationError

from calls import access_log
from calls.access import agents_of
from calls.api.serializers import expect_own_agent
from calls.models import Call
from upstream import idempotency
from upstream.client import Client
from upstream.dialing import PROVIDERS, Dialled, MissingField, expect_may_go, mark_unknown, new_order, place
from upstream.doctor import examine
from upstream.errors import NotConfigured
from upstream.permissions import registered
from upstream.phone_numbers import NotAllowed


class DialForm(forms.Form):
    """The form of a dial. Each display of the page has its own `key`: a form that is sent twice dials once."""

    to_number = forms.CharField(max_length=64, help_text="With + and the country's code.")
    driver_id = forms.CharField(max_length=255, label="Driver ID")
    agent_id = forms.CharField(max_length=255, required=False, label="Agent ID", help_text="Empty: of the settings.")
    phone_number_id = forms.CharField(
        max_length=255, required=False, label="Phone number ID", help_text="ElevenLabs' ID. Empty: of the settings."
    )
    provider = forms.ChoiceField(choices=[(name, name) for name in PROVIDERS])
    first_message = forms.CharField(max_length=10_000, required=False, help_text="In place of the agent's own.")
    key = forms.CharField(max_length=64, widget=forms.HiddenInput)


def dial(request: HttpRequest) -> HttpResponse:
    """Show the form of a dial; on POST, place the call and redirect to its page."""
    if not request.user.has_perm("calls.dial_call"):
        raise PermissionDenied
    form = DialForm(request.POST or None, initial={"key": secrets.token_urlsafe(16)})
    if request.method == "POST" and form.is_valid():
        try:
            dialled = _dial(request, dict(form.cleaned_data))
        except MissingField as error:
            form.add_error(error.field, str(error))
        except ValidationError as error:
            detail: Any = error.detail  # texts by field
            for field, texts in detail.items():
                form.add_error(field, [str(text) for text in texts])
        except (NotAllowed, NotConfigured, idempotency.KeyMisused, access_log.NotLogged, APIPermissionDenied) as error:
            form.add_error(None, str(error))
        else:
            return _told(request, dialled)
    context = {**admin.site.each_context(request), "title": "Dial", "form": form, "opts": Call._meta}
    return TemplateResponse(request, "upstream/dial.html", context)


def doctor(request: HttpRequest) -> HttpResponse:
    """Show a button; on POST, examine the set-up and show the findings. A GET asks ElevenLabs nothing."""
    if not request.user.has_perm("upstream.view_reconcileround"):
        raise PermissionDenied
    findings = examine() if request.method == "POST" else []
    context = {**admin.site.each_context(request), "title": "Examine the set-up", "findings": findings}
    return TemplateResponse(request, "upstream/doctor.html", context)


def _dial(request: HttpRequest, told: dict[str, Any]) -> Dialled:
    key = f"admin {told.pop('key')}"
    expect_own_agent(agents_of(request.user), told["agent_id"], "dial")
    order = new_order(**told)
    expect_may_go(order)
    client = Client.from_settings()
    begun = idempotency.begin(request.user, key, told, lambda: registered(request, order))
    if begun.call is None:
        raise idempotency.KeyMisused(409, "The call was deleted.")
    if begun.former is not None:
        answered = begun.former.answer_status
        return Dialled(begun.call, answered) if answered else mark_unknown(begun.call)
    dialled = place(order, begun.call, client)
    idempotency.end(begun.request, dialled.status, {})
    return dialled


def _told(request: HttpRequest, dialled: Dialled) -> HttpResponse:
    call = dialled.call
    if dialled.status == 201:
        messages.success(request, f"Placed {call.call_sid}.")
    elif dialled.status == 202:
        text = f"Whether {call.call_sid} was placed is unknown. Its webhooks will tell; do not dial again yet."
        messages.warning(request, text)
    else:
        messages.error(request, f"Not placed: {dialled.reason or call.failure_reason}")
    if not request.user.has_perm("calls.view_call"):
        return redirect("admin:index")
    return redirect("admin:calls_call_change", call.pk)
