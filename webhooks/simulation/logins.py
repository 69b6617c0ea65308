"""Who signs in: the three users of the demo, and the token that a simulation registers its calls with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import Error
from django.utils.crypto import get_random_string
from rest_framework_simplejwt.tokens import AccessToken

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ADD_CALL = "calls.add_call"
# role → (is_staff, is_superuser, models that may be viewed)
ROLES: dict[str, tuple[bool, bool, tuple[str, ...]]] = {
    "dispatcher": (False, False, ("call",)),
    "supervisor": (True, False, ("call", "calltranscription", "callrecording", "webhookdelivery")),
    "admin": (True, True, ()),
}


def demo_logins() -> dict[str, str]:
    """Make sure that the demo's users exist with just their rights; user name → a new password."""
    return {name: _login(name, *rights) for name, rights in ROLES.items()}


def _login(name: str, is_staff: bool, is_superuser: bool, models: tuple[str, ...]) -> str:
    user, _ = get_user_model().objects.get_or_create(username=name)
    password = get_random_string(14)
    user.set_password(password)
    user.is_active, user.is_staff, user.is_superuser = True, is_staff, is_superuser
    user.save()
    codenames = [f"view_{model}" for model in models]
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label__in=("calls", "webhooks"), codename__in=codenames)
    )
    return password


def local_user() -> User | None:
    """A user of this checkout's database who may register calls, if there is one and the database answers."""
    backend = "django.contrib.auth.backends.ModelBackend"
    try:
        return get_user_model().objects.with_perm(ADD_CALL, backend=backend).order_by("pk").first()
    except Error:
        return None


def token_of(user: User | None) -> str:
    """A fresh JWT of the user, good wherever DJANGO_SECRET_KEY and the database are this checkout's; "" of nobody."""
    return "" if user is None else str(AccessToken.for_user(user))
