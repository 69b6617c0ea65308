"""Users and groups in the admin: Django's own pages, whose lists take the look-ups of their filters alone."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from calls.readonly_admin import KnownLookups

admin.site.unregister([Group, User])


@admin.register(User)
class Users(KnownLookups, UserAdmin):  # type: ignore[type-arg]
    """Without this, `?groups__user__password__startswith=` finds out a password's hash."""


@admin.register(Group)
class Groups(KnownLookups, GroupAdmin):
    """The same through `?user__password__startswith=`."""
