"""Visitors at the site's three sign-in routes, for tests of signing in."""

from __future__ import annotations

import contextlib
from itertools import count

import httpx
from django.conf import settings as django_settings

DOORS = ["/login/", "/admin/login/", "/api/token/"]
LIMIT = django_settings.AXES_FAILURE_LIMIT
numbers = count(1)


class Visitor(contextlib.AbstractContextManager):
    """A visitor at an address of this machine, who tries to sign in."""

    def __init__(self, url, address="127.0.0.1", **headers):
        transport = httpx.HTTPTransport(local_address=address)
        self.http = httpx.Client(base_url=url, transport=transport, headers=headers, timeout=30)

    def knock(self, door, name, password="wrong"):
        # Each attempt comes from another program.
        headers = {"User-Agent": f"program {next(numbers)}", "Referer": str(self.http.base_url)}
        form = {"username": name, "password": password}
        if door == "/api/token/":
            return self.http.post(door, json=form, headers=headers)
        form["csrfmiddlewaretoken"] = self.http.get("/login/", headers=headers).cookies["csrftoken"]
        return self.http.post(door, data=form, headers=headers)

    def lock(self, door, name):
        """Fail as often as it takes to lock the name, and return the statuses."""
        return [self.knock(door, name).status_code for _ in range(LIMIT)]

    def __exit__(self, *_):
        self.http.close()


def is_good(response):
    return response.status_code == 200 if "/api/" in str(response.url) else response.status_code == 302
