"""The pages of realtime: the live page, the status of a session, and the redirect to a call's record."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from calls.access import agents_of, visible
from calls.models import Call
from calls.notices import notices_for
from realtime.auth import PERMISSION


@never_cache
@login_required
def live(request: HttpRequest) -> HttpResponse:
    """Show the live page. All its data comes over the sockets; `now` lets the page count by the server's clock."""
    if not request.user.has_perm(PERMISSION):
        return render(request, "realtime/not_allowed.html", status=403)
    return render(request, "realtime/live.html", {"now": int(timezone.now().timestamp() * 1000)})


@never_cache
def status(request: HttpRequest) -> JsonResponse:
    """Tell a page how its session stands: to a browser, a refused socket looks like a lost connection.

    401: signed out. 403: signed in, and not permitted to view calls. 200: the user's name, and notices for this user.
    """
    if not request.user.is_authenticated:
        return JsonResponse({"detail": "You are signed out."}, status=401)
    if not request.user.has_perm(PERMISSION):
        return JsonResponse({"detail": "You may not view calls."}, status=403)
    notices = [asdict(notice) for notice in notices_for(request)]
    return JsonResponse({"user": request.user.get_username(), "notices": notices})


@staff_member_required
def record(request: HttpRequest, call_sid: str) -> HttpResponse:
    """Redirect to a call's record in the admin, which knows calls by another key than the page does. Raises Http404."""
    if not request.user.has_perm(PERMISSION):  # do not tell whether the call exists
        return render(request, "realtime/not_allowed.html", status=403)
    call = visible(Call.objects.only("pk", "call_sid"), agents_of(request.user)).named(call_sid)
    if call is None:
        raise Http404("There is no such call.")
    return redirect("admin:calls_call_change", call.pk)
