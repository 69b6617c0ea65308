"""Requests that no browser sends: each parameter of each route, and forms, with values that no column can hold.

The routes are those of the URLconf. The parameters of a list in the admin are those of its model, and the pages of the
newest row get them too. The same seed gives the same requests.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
from django.contrib import admin
from django.contrib.admindocs.views import extract_views_from_urlpatterns, simplify_regex
from django.urls import get_resolver

from calls.readonly_admin import ReadOnlyAdmin, parameters_of
from lab.stack.depth import examples

VALUES = [
    *("%00", "a%00b", "%01", "%1F", "%7F", "%0A", "%0D%0AX-Injected:%20yes", "%09", "%E2%80%AE", "%C2%85"),
    *("%FF", "%ED%A0%80", "%C0%80", "%F0%9F%98%80", "%D9%A1", "%C4%B0", "%EF%BC%91", "%", "%zz", "%25%30%30"),
    *("9" * 20, "-" + "9" * 20, "9" * 5_000, "-1", "0", "1.5", "1e999", "NaN", "0x10", "1_0", "true", "None", ""),
    *("(", "[", "*", "%5C", "%27", "%22", "%3Cscript%3E", "..%2F..%2Fetc%2Fpasswd", "{}", "{{7*7}}", "x" * 3_000),
    *("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "0001-01-01%2000:00:00%2B23:59", "2025-02-30"),
    *("9999-12-31", "0000-00-00", "2025-01-01T00:00:00.1234567891234", "24:00", "99999999999999999999-01-01"),
    *("cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cD0lMDA=", "cD05OTk5LTEyLTMxVDIzOjU5OjU5LTE0OjAw", "bz05OTk5OTk5OTk5OTk5"),
    *("q%3D%2500", "status__exact%3Dnosuch", "started_from%3D0001-01-01", "call_sid__regex%3D(", "o%3D9"),
]
LOOKUPS = ["", "__exact", "__gte", "__lt", "__isnull", "__in", "__range", "__year", "__date", "__regex", "__icontains"]
OF_LISTS = ["q", "o", "p", "e", "all", "_facets", "_popup", "_to_field", "_changelist_filters", "nosuch", "pk"]
OF_PAGES = ["next", "lang", "version", "script", "format", "language", "term", "app_label", "model_name", "field_name"]
OF_ROWS = ["_changelist_filters", "rows"]
OF_API = [
    *("status", "driver_id", "agent_id", "direction", "call_successful", "started_after", "started_before", "search"),
    *("cursor", "page_size", "after", "format", "lang", "version", "nosuch"),
]
HEADERS = {
    "Range": ["bytes=", "bytes=-", "bytes=5-1", "bytes=0-" + "9" * 5_000, "bytes=0-1,3-4", "items=\xff", "bytes=\xb2-"],
    "If-Range": ['"x"', "Mon, 99 Foo 99999999999 99:99:99 GMT", "\xff"],
    "If-None-Match": ["*", '"', 'W/"\xff"', "x" * 5_000],
    "If-Modified-Since": ["Mon, 99 Foo 99999999999 99:99:99 GMT", "0", "Fri, 31 Dec 9999 23:59:59 GMT"],
    "Accept": ["a/b/c;;=,;q=", "application/json; indent=" + "9" * 5_000, "text/html;q=\xff"],
    "Accept-Language": ["de;q=x,\xff", "x" * 5_000, "*;q=9e999"],
    "Accept-Encoding": ["\xff", "gzip;q=-1"],
    "Content-Type": [
        *("application/json; charset=\xff", "multipart/form-data; boundary=", "text/plain;charset=idna"),
        *("application/x-www-form-urlencoded; charset=latin-1", "multipart/form-data; boundary=a; charset=base64"),
    ],
    "Authorization": ["Bearer \xff", "Bearer a b c", "Bearer", "Basic \xff", "Bearer " + "e30." * 1_000, "\xff"],
    "Cookie": ['sessionid="abcdefgh\\000"', 'csrftoken="\\000"', 'messages="\\000"', "\xff=\xff; =; a"],
    "Origin": ["http://[::1", "null", "\xff"],
    "Referer": ["http://[::1", "\xff"],
    "X-CSRFToken": ["\xff", "x" * 5_000],
    "X-Forwarded-For": ["\xff", "999.999.999.999"],
    "X-HTTP-Method-Override": ["DELETE", "\xff"],
}  # fmt: skip

# What forms of the site send. Fields that are not named here get any value.
FORM = "application/x-www-form-urlencoded"
CHOSEN = {
    "action": ["end_calls", "mark_reviewed", "fetch_calls", "apply_deliveries_again", "nosuch"],
    "do": ["mark", "take-back", "add-labels", "take-label-off", "write-note", "delete-note", "nosuch"],
    "provider": ["twilio", "nosuch"],
}
FIELDS = [
    *(*CHOSEN, "_selected_action", "select_across", "index", "reason", "after", "until", "total", "done", "applied"),
    *("label", "note", "turn", "at", "to_number", "driver_id", "agent_id", "first_message", "key"),
    *("username", "password", "name", "next", "agentaccess_set-TOTAL_FORMS", "agentaccess_set-0-agent_id"),
]


@dataclass
class Visitor:
    """A visitor with a session of the site. `faults` keeps requests whose outcome is forbidden."""

    client: httpx.Client
    headers: dict[str, str]
    faults: list[str] = field(default_factory=list)
    asked: int = 0

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **body) -> int:
        self.asked += 1
        sent = {name: value.encode("latin-1") for name, value in (self.headers | (headers or {})).items()}
        try:
            answer = self.client.request(method, path, headers=sent, **body)
        except httpx.HTTPError as error:
            self.faults.append(f"{type(error).__name__}: {method} {path[:200]} {headers} {body}")
            return 0
        if answer.status_code >= 500 or "X-Injected" in answer.headers:
            self.faults.append(f"{answer.status_code}: {method} {path[:200]} {headers} {body}")
        return answer.status_code


def routes() -> list[str]:
    """Return each address of the site, with `<name>` where a value stands."""
    patterns = extract_views_from_urlpatterns(get_resolver().url_patterns)
    return sorted({re.sub(r"<\w+:", "<", simplify_regex(regex)) for _, regex, _, _ in patterns})


def parameters(route: str) -> list[str]:
    """Return query keys that the route knows, and some that it does not know."""
    if route.startswith("/api/calls/"):
        return OF_API
    for model, model_admin in admin.site._registry.items():
        if not route.startswith(address := f"/admin/{model._meta.app_label}/{model._meta.model_name}/"):
            continue
        filters = [
            name for one in model_admin.list_filter for name in ([one] if isinstance(one, str) else parameters_of(one))
        ]
        if route != address:
            return [*filters, *OF_ROWS, *OF_PAGES]
        names = [one.name for one in model._meta.get_fields()]
        return [*filters * 3, *names, "call__id", "call__final_transcript", "user__password", *OF_LISTS]
    return OF_PAGES


def address_of(route: str, visitor: Visitor, call_sid: str) -> str:
    """Return the address of a route for this call; in the read-only admin, for the newest row."""
    row = call_sid
    for model, model_admin in admin.site._registry.items():
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        if route.startswith(f"{address}<") and isinstance(model_admin, ReadOnlyAdmin):
            page = visitor.client.get(address, headers=visitor.headers).text
            row = (re.findall(rf"{address}(\d+)/change/", page) or ["1"])[0]
    return re.sub(r"<\w+>", quote(row, safe=""), route.replace("<part>", "transcript"))


def form(chance: random.Random) -> bytes:
    """Return a form body that has half of all forms' fields, with hostile values."""
    names = chance.sample(FIELDS, len(FIELDS) // 2)
    return "&".join(f"{name}={chance.choice(CHOSEN.get(name, VALUES))}" for name in names).encode()


def visit(visitor: Visitor, call_sid: str, *, seed: int, each: int, under: str = "/") -> None:
    """Send parameters `each` times, each place in a path four times as often, and headers.

    Of parameters and of values of headers `make check` takes all, and `make test` a third.
    """
    chance = random.Random(seed)
    for route in routes():
        if not route.startswith(under):
            continue
        here = address_of(route, visitor, call_sid)
        if "<" in route:
            for value in chance.sample(VALUES, 4 * each):
                visitor.ask("GET", re.sub(r"<\w+>", value, route))
        names = parameters(route)
        for name in chance.sample(names, examples(len(names))):
            for value in chance.sample(VALUES, each):
                lookup = chance.choice(LOOKUPS) if route.startswith("/admin/") and name not in OF_LISTS else ""
                visitor.ask("GET", f"{here}?{name}{lookup}={value}")
        visitor.ask("GET", f"{here}?{chance.choice(VALUES)}={chance.choice(VALUES)}&{'a&' * 2_000}")
        for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", *(["POST"] if "logout" not in route else [])):
            visitor.ask(method, f"{here}?x={chance.choice(VALUES)}", content=b'{"a": "\x00"}')
        for _ in range(4 * each if "logout" not in route else 0):
            visitor.ask("POST", here, headers={"Content-Type": FORM}, content=form(chance))
    for header, values in HEADERS.items() if under == "/" else ():
        for value in chance.sample(values, examples(len(values))):
            for path in ("/live/", "/api/schema/", "/admin/", "/login/", f"/api/calls/{call_sid}/recording/"):
                visitor.ask(chance.choice(["GET", "POST"]), path, headers={header: value})
