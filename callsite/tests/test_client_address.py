"""Whose address a lock has: a client does not choose its own, directly or behind the shipped proxy."""

from __future__ import annotations

import re

import pytest
from axes.models import AccessAttempt
from django.test import RequestFactory

from callsite.sign_in_locks import UNKNOWN_ADDRESS, address_of
from callsite.tests.doors import DOORS, LIMIT, is_good, numbers
from callsite.tests.test_nginx import OLD, Nginx, nginx, proxy  # noqa: F401  (fixtures)


def test_behind_the_shipped_proxy_the_address_is_the_clients_own_whatever_it_says(proxy, visitor, dispatcher):  # noqa: F811
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    for n, door in enumerate(DOORS):
        ada, bob = visitor(proxy.url, f"127.0.1.{n}"), visitor(proxy.url, f"127.0.2.{n}")
        liar = visitor(proxy.url, f"127.0.1.{n}", **forged)
        for _ in range(LIMIT):
            forged["X-Forwarded-For"] = f"203.0.113.{next(numbers) % 256}"
            liar.http.headers.update(forged)
            assert liar.knock(door, dispatcher.username).status_code in (200, 401)
        assert liar.knock(door, dispatcher.username, "dispatcher").status_code == 429
        assert ada.knock(door, dispatcher.username, "dispatcher").status_code == 429
        assert is_good(bob.knock(door, dispatcher.username, "dispatcher"))


def test_behind_a_tls_proxy_that_nginx_is_told_of_the_address_is_what_that_one_saw(nginx, site, visitor, dispatcher):  # noqa: F811
    text = re.sub(r"# (set_real_ip_from|real_ip_header|real_ip_recursive) ", r"\1 ", OLD).replace(
        "192.0.2.1", "127.0.0.7"
    )
    with Nginx(nginx, text, site.port) as front:
        for claimed in ("203.0.113.9", "198.51.100.1, 203.0.113.9"):  # what a client sent stands before it
            told = visitor(front.url, "127.0.0.7", **{"X-Forwarded-For": claimed})
            assert told.knock("/api/token/", dispatcher.username).status_code == 401
        stranger = visitor(front.url, "127.0.0.8", **{"X-Forwarded-For": "203.0.113.9"})
        assert stranger.knock("/api/token/", dispatcher.username).status_code == 401
    rows = AccessAttempt.objects.values_list("ip_address", "failures_since_start")
    assert sorted(rows) == [("127.0.0.8", 1), ("203.0.113.9", 2)]


def test_a_client_that_is_no_trusted_proxy_does_not_choose_its_address(site, visitor, dispatcher):
    ada = visitor(site.url, "127.0.0.3")  # FORWARDED_ALLOW_IPS is 127.0.0.1
    for n in range(LIMIT):
        ada.http.headers["X-Forwarded-For"] = f"203.0.113.{n}"
        assert ada.knock("/api/token/", dispatcher.username).status_code == 401
    assert ada.knock("/api/token/", dispatcher.username).status_code == 429
    [row] = AccessAttempt.objects.values()
    assert row["ip_address"] == "127.0.0.3"


@pytest.mark.parametrize("chosen", ["x", "2001:db8::1%eth0", "", "1.2.3.4, x"])
def test_an_address_that_a_proxy_garbles_is_no_fault(site, visitor, dispatcher, chosen):
    """127.0.0.1 is a proxy that is believed."""
    ada = visitor(site.url, **{"X-Forwarded-For": chosen})
    assert ada.lock("/api/token/", dispatcher.username) == [401] * LIMIT
    assert ada.knock("/api/token/", dispatcher.username).status_code == 429


@pytest.mark.parametrize(
    ("remote", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("", UNKNOWN_ADDRESS),
        ("a.b.c.d", UNKNOWN_ADDRESS),
    ],
)
def test_the_address_of_a_request_is_that_of_the_connection_and_of_ipv6_the_network(remote, counted):
    request = RequestFactory().get("/login/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert address_of(request) == counted
