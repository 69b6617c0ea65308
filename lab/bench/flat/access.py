"""`python -m lab.bench.flat.access`: prints a superuser's JWT and session as JSON, for DATABASE_URL's database."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callsite.settings")


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.test import Client
    from rest_framework_simplejwt.tokens import AccessToken

    user, _ = get_user_model().objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    token = AccessToken.for_user(user)
    token.set_exp(lifetime=timedelta(hours=6))
    client = Client()
    client.force_login(user)
    print(json.dumps({"token": str(token), "session": client.cookies["sessionid"].value}))


if __name__ == "__main__":
    main()
