"""Pages that are read over HTTP: the API and the admin. Each draw asks for another page of the same kind."""

from __future__ import annotations

import base64
import http.client
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote, urlencode

from lab.bench.flat.databases import Site

ENOUGH, BUDGET_MS = 2, 3000
FULL_IN_31_DAYS = 30_000  # calls of a year

Path = Callable[[Site, random.Random], str]


@dataclass(frozen=True, slots=True)
class Page:
    """A kind of request; `path` draws one. Admin pages are requested with the session, others with the token.

    With fewer than `fewest` calls the page is not full, so it would not compare with a full page.
    """

    title: str
    path: Path
    fewest: int = 0


def measure(site: Site, page: Page, requests: int, seed: int) -> list[float]:
    """Return the milliseconds of each request, one after the other on one connection, after two that do not count.

    A page that takes seconds is requested fewer times.
    """
    rng = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=120)
    taken: list[float] = []
    for number in range(-2, requests):
        if len(taken) >= ENOUGH and sum(taken) > BUDGET_MS:
            break
        path = page.path(site, rng)
        headers = (
            {"Cookie": f"sessionid={site.session}"}
            if path.startswith("/admin/")
            else {"Authorization": f"Bearer {site.token}"}
        )
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} for {path}")
        if number >= 0:
            taken.append((time.perf_counter() - began) * 1000)
    connection.close()
    return taken


def _last_page(site: Site) -> int:
    from calls.bounded_count import COUNTED  # needs the apps

    return max(1, min(site.calls, COUNTED) // 50)


def _number(site: Site, rng: random.Random) -> int:
    return rng.randint(1, site.calls)


def _api(**query: Callable[[Site, random.Random], str] | str) -> Path:
    def path(site: Site, rng: random.Random) -> str:
        said = {name: value if isinstance(value, str) else value(site, rng) for name, value in query.items()}
        return "/api/calls/" + (f"?{urlencode(said)}" if said else "")

    return path


def _cursor(site: Site, rng: random.Random) -> str:
    return base64.b64encode(f"p={rng.randint(60, max(60, site.calls // 5))}".encode()).decode()


def _driver(site: Site, rng: random.Random) -> str:
    return f"DRV_{rng.randrange(max(10, site.calls // 100))}"


def _agent(site: Site, rng: random.Random) -> str:
    return f"agent_{rng.randrange(20)}"


def _window_begin(site: Site, rng: random.Random) -> str:
    return site.started_at(site.calls // 2)


def _window_end(site: Site, rng: random.Random) -> str:
    return site.started_at(site.calls // 2 + 100)


def _order(site: Site, rng: random.Random) -> str:
    return f"ORD-{_number(site, rng)}"


def _typed(site: Site, rng: random.Random) -> str:
    digits = f"{_number(site, rng) % 10_000_000:07}"
    return f"(555) {digits[:3]}-{digits[3:]}"


def _sid(site: Site, rng: random.Random) -> str:
    return f"CA{_number(site, rng):032}"


def _sid_path(prefix: str, suffix: str = "") -> Path:
    return lambda site, rng: f"{prefix}{quote(_sid(site, rng))}{suffix}"


def _number_path(prefix: str, suffix: str = "") -> Path:
    return lambda site, rng: f"{prefix}{_number(site, rng)}{suffix}"


def _always(path: str) -> Path:
    return lambda site, rng: path


def _within_31_days(site: Site) -> dict[str, str]:
    """Return the filters for 31 days in the middle of the table."""
    first = date.fromisoformat(site.started(0.5)[:10])
    return {"started_from": str(first), "started_to": str(first + timedelta(days=30))}


def _filtered(query: Mapping[str, str | Callable[[Site, random.Random], str]], *, within: bool = False) -> Path:
    """Return a draw of the list of calls with these filters."""

    def path(site: Site, rng: random.Random) -> str:
        said = {name: value if isinstance(value, str) else value(site, rng) for name, value in query.items()}
        return f"{CALLS}?{urlencode({**said, **(_within_31_days(site) if within else {})})}"

    return path


CALLS, TURNS, DELIVERIES = "/admin/calls/call/", "/admin/calls/calltranscription/", "/admin/webhooks/webhookdelivery/"


def _newest_day(site: Site, rng: random.Random) -> str:
    return f"{DELIVERIES}?{urlencode({'received_at__gte': site.started(1)[:10] + ' 00:00:00+00:00'})}"


FILTERS: dict[str, dict[str, str | Callable[[Site, random.Random], str]]] = {
    "in progress": {"status__exact": "in_progress"},
    "completed": {"status__exact": "completed"},
    "failed": {"status__exact": "failed"},
    "successful": {"call_successful__exact": "1"},
    "not successful": {"call_successful__exact": "0"},
    "no outcome": {"call_successful__isnull": "True"},
    "silent for an hour": {"silent": "1"},
    "inbound": {"direction__exact": "inbound"},
    "with a recording": {"recording": "yes"},
    "without a recording": {"recording": "no"},
    "heard live": {"heard": "live"},
    "not heard live": {"heard": "not"},
    "of an agent": {"agent_id__exact": _agent},
    "of no known agent": {"agent_id__exact": ""},
    "of a driver": {"driver_id__exact": _driver},
    "reviewed": {"reviewed": "yes"},
    "not reviewed": {"reviewed": "no"},
    "of a label": {"label": "late"},
    "of a label, not reviewed": {"label": "late", "reviewed": "no"},
    "of a failure reason": {"failure_reason__exact": "no-answer"},
    "of a failure reason that no call has": {"failure_reason__exact": "none has this"},
}
PAGES = (
    Page("API: one call", _sid_path("/api/calls/", "/")),
    Page("API: transcript of a call", _sid_path("/api/calls/", "/transcript/")),
    Page("API list: first page", _api()),
    Page("API list: a page far back", _api(cursor=_cursor)),
    Page("API list: of a driver", _api(driver_id=_driver)),
    Page("API list: of a driver, failed", _api(driver_id=_driver, status="failed")),
    Page("API list: of an agent", _api(agent_id=_agent)),
    Page("API list: failed", _api(status="failed")),
    Page("API list: not successful", _api(call_successful="false")),
    Page("API list: inbound", _api(direction="inbound")),
    Page("API list: started lately", _api(started_after=lambda site, rng: site.started(1 - 60 / site.calls))),
    Page("API list: started long ago", _api(started_before=lambda site, rng: site.started(0.1))),
    Page("API list: started within a window", _api(started_after=_window_begin, started_before=_window_end)),
    Page("API search: an order number, one call has it", _api(search=_order)),
    Page("API search: a rare word", _api(search="demurrage")),
    Page("API search: a common word", _api(search="pallet")),
    Page("API search: nothing is found", _api(search="xylophone")),
    Page("API search: a call_sid", _api(search=_sid)),
    Page("API search: a telephone number, as it is typed", _api(search=_typed)),
    Page("admin: first page, with the work queues", _always("/admin/")),
    Page("admin calls: first page", _always(CALLS)),
    Page("admin calls: last page", lambda site, rng: f"{CALLS}?p={_last_page(site)}"),
    Page("admin calls: by start, oldest first", _always(f"{CALLS}?o=1")),
    Page("admin calls: within 31 days", _filtered({}, within=True)),
    *(Page(f"admin calls: {title}", _filtered(query)) for title, query in FILTERS.items()),
    *(
        Page(f"admin calls: {title}, within 31 days", _filtered(query, within=True), fewest=FULL_IN_31_DAYS)
        for title, query in FILTERS.items()
    ),
    Page("admin calls: search for a call_sid", lambda site, rng: f"{CALLS}?q={_sid(site, rng)}"),
    Page("admin calls: search for a driver", lambda site, rng: f"{CALLS}?q={_driver(site, rng)}"),
    Page("admin calls: search for a rare word", _filtered({"q": "demurrage"}), fewest=40_000),
    Page("admin calls: search for a common word", _filtered({"q": "pallet"})),
    Page("admin calls: search for a common word, within 31 days", _filtered({"q": "pallet"}, within=True)),
    Page("admin call page", _number_path(CALLS, "/change/")),
    Page("admin turns: first page", _always(TURNS)),
    Page("admin turns: of a call", _number_path(f"{TURNS}?call__id__exact=")),
    Page("admin deliveries: first page", _always(DELIVERIES)),
    Page("admin deliveries: failed", _always(f"{DELIVERIES}?outcome__exact=failed")),
    # The same on a page that is full at every size.
    Page("admin deliveries: applied", _always(f"{DELIVERIES}?outcome__exact=applied")),
    Page("admin deliveries: of a route that has none", _always(f"{DELIVERIES}?route__exact=conversation-init")),
    Page("admin deliveries: of the newest day", _newest_day),
    Page("admin deliveries: of a call", _number_path(f"{DELIVERIES}?call__id__exact=")),
    Page("admin deliveries: search", lambda site, rng: f"{DELIVERIES}?q=conv_{_number(site, rng)}"),
    Page("admin delivery page", lambda site, rng: f"{DELIVERIES}{rng.randint(1, site.calls // 2)}/change/"),
)
