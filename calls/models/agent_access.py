"""The agents whose calls a user may see, if the user may not see all calls."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q

AGENT_ID_MAX_LENGTH = 255


class AgentAccess(models.Model):
    """One agent whose calls a user, or each member of a group, may see.

    A user with any such row is limited to these agents; the rows of a user and of its groups add up.
    """

    agent_id = models.CharField(
        "agent ID", max_length=AGENT_ID_MAX_LENGTH, help_text="As ElevenLabs gives it, such as agent_…"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="agent_access"
    )
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.CASCADE, related_name="agent_access")

    class Meta:
        verbose_name = "agent access"
        verbose_name_plural = "sees only the calls of these agents"
        ordering = ["agent_id"]
        constraints = [
            models.CheckConstraint(
                name="agent_access_of_user_or_group",
                condition=Q(user__isnull=False, group__isnull=True) | Q(user__isnull=True, group__isnull=False),
            ),
            models.CheckConstraint(name="agent_access_names_an_agent", condition=~Q(agent_id="")),
            models.UniqueConstraint(
                fields=["user", "agent_id"], condition=Q(user__isnull=False), name="agent_access_once_a_user"
            ),
            models.UniqueConstraint(
                fields=["group", "agent_id"], condition=Q(group__isnull=False), name="agent_access_once_a_group"
            ),
        ]

    def __str__(self) -> str:
        return self.agent_id
