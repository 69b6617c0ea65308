"""The migrations to permissions, limits and the access log, from the version before."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE = [
    *(("auth", "0012_alter_user_first_name_max_length"), ("contenttypes", "0002_remove_content_type_name")),
    *(("calls", "0009_single_came_at"), ("webhooks", "0005_refused_requests")),
]
OURS = ("Dispatchers", "Supervisors", "Auditors")
NEW = (
    *("end_call", "dial_call", "export_call", "review_call", "view_accesslogentry", "view_agentaccess"),
    *("apply_again_webhookdelivery", "view_raw_payload"),
)


def migrated(targets):
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


def gone_back():
    """The state of the version before, without the groups, which no migration takes away."""
    apps = migrated(BEFORE)
    apps.get_model("auth", "Group").objects.filter(name__in=OURS).delete()
    return apps


@pytest.fixture
def before(only_postgresql, transactional_db):
    yield gone_back()
    gone_back()
    call_command("migrate", verbosity=0)  # for the other tests, with all permissions
    ContentType.objects.clear_cache()


def test_the_groups_are_made_with_permissions_that_are_not_there_yet(before):
    permissions = before.get_model("auth", "Permission").objects
    permissions.filter(codename__in=NEW).delete()
    ContentType.objects.filter(model__in=("accesslogentry", "agentaccess")).delete()
    own = before.get_model("auth", "Group").objects.create(name="Dispatchers")  # somebody had a group of that name
    own.permissions.add(permissions.get(codename="add_call"))
    migrated(MigrationExecutor(connection).loader.graph.leaf_nodes())

    def may(name):
        return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))

    assert may("Dispatchers") == {"view_call", "add_call"}
    assert {"view_callrecording", "end_call", "apply_again_webhookdelivery"} < may("Supervisors")
    assert "view_accesslogentry" in may("Auditors")
    assert "view_refusedrequests" in may("Supervisors") & may("Auditors")
    assert not [codename for codename in may("Auditors") if not codename.startswith("view_")]
    assert "view_raw_payload" not in may("Supervisors") | may("Auditors")


def test_calls_users_and_their_permissions_stay_and_the_log_begins_empty(before):
    call = before.get_model("calls", "Call").objects.create(call_sid="EL_1")
    user = before.get_model("auth", "User").objects.create(username="mara")
    user.user_permissions.add(before.get_model("auth", "Permission").objects.get(codename="view_call"))
    apps = migrated(MigrationExecutor(connection).loader.graph.leaf_nodes())
    assert apps.get_model("calls", "Call").objects.get().pk == call.pk
    assert get_user_model().objects.get().has_perm("calls.view_call")
    assert not apps.get_model("calls", "AccessLogEntry").objects.exists()
    assert not apps.get_model("calls", "AgentAccess").objects.exists(), "nobody is limited"
