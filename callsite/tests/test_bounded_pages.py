"""Pages and API do not wait for a lock: whoever writes is told at once to try again, by a page or by JSON."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.db.models.signals import pre_save
from django.urls import reverse
from rest_framework_simplejwt.tokens import AccessToken

from calls.models import Call
from callsite import page_door
from conftest import payload, register_call
from webhooks.applying_again import NOT_NOW
from webhooks.models import WebhookDelivery

pytestmark = pytest.mark.usefixtures("on_postgresql")


@pytest.fixture
def threads():
    with ThreadPoolExecutor(40) as threads:
        yield threads


@pytest.fixture
def staff(transactional_db):
    return get_user_model().objects.create_superuser("admin", password="admin")


@pytest.fixture
def staff_token(staff):
    return str(AccessToken.for_user(staff))


@pytest.fixture
def submit(site, threads, staff):
    """Post a form of the admin, signed in as `staff`, from a thread."""
    session = SessionStore()
    session["_auth_user_id"] = str(staff.pk)
    session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[-1]
    session["_auth_user_hash"] = staff.get_session_auth_hash()
    session.create()
    token = "t" * 32
    cookies = f"sessionid={session.session_key}; csrftoken={token}"
    headers = {"Cookie": cookies, "X-CSRFToken": token, "Referer": site.url}

    def post(path, **form):
        return threads.submit(site.client.post, path, data=form, headers=headers, follow_redirects=True)

    return post


def test_a_change_of_a_held_call_is_answered_503_while_it_is_held(site, call, staff_token, threads):
    with transaction.atomic():
        Call.objects.select_for_update().get(pk=call.pk)
        path = f"/api/calls/{call.call_sid}/"
        response = threads.submit(site.api, "PATCH", path, staff_token, json={"driver_id": "DRV_2"}).result(4)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.headers["Content-Type"] == "application/json"
    assert "try again" in response.json()["detail"]
    call.refresh_from_db()
    assert call.driver_id == "DRV_1"
    assert site.api("PATCH", path, staff_token, json={"driver_id": "DRV_2"}).status_code == 200


def test_linking_a_held_call_is_answered_503_too_and_links_nothing(site, staff_token, threads):
    call = Call.register(call_sid="EL_1")
    with transaction.atomic():
        Call.objects.select_for_update().get(pk=call.pk)
        body = {"conversation_id": "conv_new", "driver_id": "DRV_2"}
        response = threads.submit(site.api, "PATCH", "/api/calls/EL_1/", staff_token, json=body).result(4)
    assert response.status_code == 503
    call.refresh_from_db()
    assert (call.conversation_id, call.driver_id) == (None, "")


def test_many_changes_of_a_held_call_cost_neither_webhooks_nor_other_requests(site, call, staff_token, threads):
    other = register_call()
    with transaction.atomic():
        Call.objects.select_for_update().get(pk=call.pk)
        path = f"/api/calls/{call.call_sid}/"
        changes = [
            threads.submit(site.api, "PATCH", path, staff_token, json={"driver_id": f"DRV_{n}"})
            for n in range(4 * page_door.PLACES)
        ]
        turn = threads.submit(site.turn, call_sid=other.call_sid, speaker="agent", message="Hello")
        failure = threads.submit(site.post_call, payload("failure_bare", other.conversation_id))
        init = threads.submit(site.init, call_sid="CA_1")
        page = threads.submit(site.api, "GET", "/api/calls/", staff_token)
        statuses = [future.result(8).status_code for future in (turn, failure, init, page)]
        assert statuses == [201, 200, 200, 200]
        assert {future.result(8).status_code for future in changes} == {503}


def test_the_admin_shows_a_page_where_a_row_is_held(submit):
    user = get_user_model().objects.create_user("held")
    with transaction.atomic():
        get_user_model().objects.select_for_update().get(pk=user.pk)
        form = {
            "username": "other",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00",
            "usable_password": "true",
            "agent_access-TOTAL_FORMS": "0",
            "agent_access-INITIAL_FORMS": "0",
        }
        response = submit(f"/admin/auth/user/{user.pk}/change/", **form).result(4)
    assert response.status_code == 503
    assert "Nothing was saved" in response.text
    user.refresh_from_db()
    assert user.username == "held"


def test_apply_again_leaves_a_delivery_whose_call_is_held_and_says_so(site, call, submit):
    other = register_call()
    for one in (call, other):
        assert site.post_call(payload("failure_bare", one.conversation_id)).status_code == 200
    chosen = list(WebhookDelivery.objects.values_list("pk", flat=True))
    with transaction.atomic():
        Call.objects.select_for_update().get(pk=call.pk)
        form = {"action": "apply_deliveries_again", "_selected_action": chosen}
        form |= {"after": 0, "until": max(chosen), "total": 2, "done": 0, "applied": 0}
        response = submit("/admin/webhooks/webhookdelivery/", **form).result(4)
    assert response.status_code == 200
    assert "Applied 1 of 2 deliveries" in response.text
    assert NOT_NOW in response.text
    assert set(WebhookDelivery.objects.values_list("call_id", "times_applied")) == {(call.pk, 1), (other.pk, 2)}


def test_a_sign_in_of_a_user_who_is_deleted_at_that_moment_is_refused_in_words(client, staff):
    def delete(instance, **_):
        get_user_model().objects.filter(pk=instance.pk).delete()

    pre_save.connect(delete, sender=get_user_model())
    try:
        refused = client.post(reverse("login"), {"username": "admin", "password": "admin"})
    finally:
        pre_save.disconnect(delete, sender=get_user_model())
    assert refused.status_code == 409
    assert "has just deleted this" in refused.text
