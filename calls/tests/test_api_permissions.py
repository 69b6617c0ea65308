"""Who may do what in the REST API: view for reading, add and change for writing, nobody deletes."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

PATHS = ["/api/calls/", "/api/calls/{}/", "/api/calls/{}/transcript/", "/api/calls/{}/recording/"]


@pytest.mark.parametrize("path", PATHS)
def test_reading_needs_a_login_and_the_permission_to_view(site, call, api, path):
    url = path.format(call.call_sid)
    assert site.client.get(url).status_code == 401
    assert site.api("GET", url, "not-a-token").status_code == 401
    for permissions in ((), ("add_call", "change_call"), ("view_callrecording", "view_calltranscription")):
        assert api(*permissions).get(url).status_code == 403
    assert api("view_call").get(url).status_code == (403 if "recording" in path else 200)
    assert api("view_call", "view_callrecording").get(url).status_code == (404 if "recording" in path else 200)


def test_writing_needs_its_own_permission(api, call):
    patch, url = {"driver_id": "DRV_2"}, f"/api/calls/{call.call_sid}/"
    assert api("view_call").post("/api/calls/", {}, "json").status_code == 403
    assert api("change_call").post("/api/calls/", {}, "json").status_code == 403
    assert api("add_call").post("/api/calls/", {}, "json").status_code == 201
    assert api("view_call", "add_call").patch(url, patch, "json").status_code == 403
    assert api("view_call", "change_call").patch(url, patch, "json").status_code == 200


def test_nothing_is_replaced_or_deleted(writer, api, call):
    url = f"/api/calls/{call.call_sid}/"
    assert writer.put(url, {}, "json").status_code == 405
    assert writer.delete(url).status_code == 403, "and with every permission there is:"
    assert api("view_call", "delete_call").delete(url).status_code == 405
    assert writer.post(url + "transcript/", {}, "json").status_code == 405


def test_a_token_is_got_with_a_password_and_refreshed(site, dispatcher, call):
    login = {"username": dispatcher.username, "password": "dispatcher"}
    tokens = site.client.post("/api/token/", json=login).json()
    assert site.api("GET", "/api/calls/", tokens["access"]).status_code == 200
    assert site.api("GET", "/api/calls/", tokens["refresh"]).status_code == 401, "a refresh token opens nothing"
    fresh = site.client.post("/api/token/refresh/", json={"refresh": tokens["refresh"]}).json()["access"]
    assert site.api("GET", "/api/calls/", fresh).status_code == 200
    assert site.client.post("/api/token/", json=login | {"password": "wrong"}).status_code == 401


def test_who_is_deactivated_or_loses_the_permission_is_out_at_once(site, dispatcher, token):
    assert site.api("GET", "/api/calls/", token).status_code == 200
    dispatcher.user_permissions.remove(Permission.objects.get(codename="view_call"))
    assert site.api("GET", "/api/calls/", token).status_code == 403
    get_user_model().objects.filter(pk=dispatcher.pk).update(is_active=False)
    assert site.api("GET", "/api/calls/", token).status_code == 401


@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_the_description_of_the_api_is_open(site, path):
    assert site.client.get(path).status_code == 200


def test_the_schema_names_every_route_and_numbers_are_numbers(site):
    text = site.client.get("/api/schema/?format=json").json()
    assert {"/api/calls/", "/api/calls/{identifier}/", "/api/calls/{identifier}/transcript/"} <= set(text["paths"])
    assert {"/api/calls/{identifier}/recording/", "/api/token/", "/api/token/refresh/"} <= set(text["paths"])
    assert text["components"]["schemas"]["Call"]["properties"]["cost"]["type"] == "number"
