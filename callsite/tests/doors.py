"""Visitors at the three doors of the site, for tests of signing in."""

from __future__ import annotations

import contextlib
from itertools import count

import httpx
from django.conf import settings as django_settings

DOORS = ["/login/", "/admin/login/", "/api/token/"]
LIMIT = django_settings.AXES_FAILURE_LIMIT
numbers = count(1)


class Visitor(contextlib.AbstractContextManager):
    """Somebody at an address of this machine, who knocks at the doors."""

    def __init__(self, url, address="127.0.0.1", **headers):
        transport = httpx.HTTPTransport(local_address=address)
        self.http = httpx.Client(base_url=url, transport=transport, headers=headers, timeout=30)

    def knock(self, door, name, password="wrong"):
        # each time as another program
        headers = {"User-Agent": f"program {next(numbers)}", "Referer": str(self.http.base_url)}
        form = {"username": name, "password": password}
        if door == "/api/token/":
            return self.http.post(door, json=form, headers=headers)
        form["csrfmiddlewaretoken"] = self.http.get("/login/", headers=headers).cookies["csrftoken"]
        return self.http.post(door, data=form, headers=headers)

    def lock(self, door, name):
        """Fail as often as it takes, and give what each attempt was answered."""
        return [self.knock(door, name).status_code for _ in range(LIMIT)]

    def __exit__(self, *_):
        self.http.close()


def is_good(response):
    return response.status_code == 200 if "/api/" in str(response.url) else response.status_code == 302
