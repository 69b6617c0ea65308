"""The logins of simulations: the three users of the demo, and the token that registers simulated calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import Error
from django.utils.crypto import get_random_string
from rest_framework_simplejwt.tokens import AccessToken

from calls.groups import DISPATCHERS, SUPERVISORS
from simulator.server import SimulationError

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ADD_CALL = "calls.add_call"
DISPATCHER, SUPERVISOR, ADMIN = "demo-dispatcher", "demo-supervisor", "demo-admin"
# user name → (is_staff, is_superuser, groups)
RIGHTS: dict[str, tuple[bool, bool, tuple[str, ...]]] = {
    DISPATCHER: (False, False, (DISPATCHERS,)),
    SUPERVISOR: (True, False, (SUPERVISORS,)),
    ADMIN: (True, True, ()),
}
# This address marks the demo's users: no person can have one there (RFC 2606).
EMAIL = "made-by-the-demo@callsite.invalid"


@contextmanager
def demo_logins() -> Iterator[dict[str, str]]:
    """Let the demo's users sign in until the block ends; the block gets a dict of user name → new password.

    Raises SimulationError if a person has one of the names: the demo never changes a person's login.
    """
    users = get_user_model().objects.filter(username__in=RIGHTS)
    if person := users.exclude(email=EMAIL).first():
        raise SimulationError(
            f"There is a user {person.get_username()} whom the demo did not make, and whose login it will not change. "
            "Rename that user."
        )
    try:
        yield {name: _login(name, *rights) for name, rights in RIGHTS.items()}
    finally:
        # so that `make run` makes its own login, instead of showing one that the next demo changes
        users.filter(email=EMAIL).update(is_active=False)


def _login(name: str, is_staff: bool, is_superuser: bool, groups: tuple[str, ...]) -> str:
    user, _ = get_user_model().objects.get_or_create(username=name, email=EMAIL)
    password = get_random_string(14)
    user.set_password(password)
    user.is_active, user.is_staff, user.is_superuser = True, is_staff, is_superuser
    user.save()
    user.user_permissions.clear()  # permissions from earlier versions
    user.groups.set([_group(group) for group in groups])
    return password


def _group(name: str) -> Group:
    try:
        return Group.objects.get(name=name)
    except Group.DoesNotExist:
        raise SimulationError(
            f"There is no group {name}, which migrations made. Make one of that name, with the permissions that its "
            "members should have."
        ) from None


def demo_admin() -> User:
    """Return the demo's user who registers and dials the demo's calls."""
    return get_user_model().objects.get(username=ADMIN, email=EMAIL)


def local_user() -> User | None:
    """Return a user of this checkout's database who may register calls; None if there is none, or no database."""
    backend = "django.contrib.auth.backends.ModelBackend"
    try:
        return get_user_model().objects.with_perm(ADD_CALL, backend=backend).order_by("pk").first()
    except Error:
        return None


def token_of(user: User | None) -> str:
    """Return a new JWT of the user; "" for None.

    It is valid on servers that have this checkout's DJANGO_SECRET_KEY and database.
    """
    return "" if user is None else str(AccessToken.for_user(user))
