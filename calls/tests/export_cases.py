"""Users who export calls, the request for an export, and functions that read the file."""

from __future__ import annotations

import csv
import io

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from calls.export import selection

LIST, EXPORT = "/admin/calls/call/", "/admin/calls/call/export/"


def someone(name="ada", *codenames):
    """Create a staff user who may export, or who has the given permissions."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    may = codenames or ("view_call", "export_call")
    user.user_permissions.set(Permission.objects.filter(codename__in=may))
    return user


def cookie(user):
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


def exporter(site, user):
    """Return a function that takes filters of the list and returns the response to the export of these calls."""

    def get(filters="", rows="calls", user=user):
        return site.client.get(f"{EXPORT}?rows={rows}&{filters}", headers=cookie(user))

    return get


def one_call_a_page(monkeypatch):
    for name, form in selection.FORMS.items():
        monkeypatch.setitem(selection.FORMS, name, form._replace(size=1))


def table(response):
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))


def column(response, name="Call SID"):
    return [row[name] for row in table(response)]
