"""`manage.py ensure_login`: make sure that somebody can sign in to the admin of a fresh checkout."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.crypto import get_random_string


class Command(BaseCommand):
    help = "Makes a superuser with a random password, and prints it, while there is no staff user who could sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin", help="of the superuser to make [%(default)s]")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the site [%(default)s]")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the name of a staff user; if there is none, make a superuser and print its password.

        An existing user is never changed. Raises CommandError if the name belongs to a user who is not active staff.
        """
        users, username = get_user_model().objects, options["username"]
        pages = f"{options['url'].rstrip('/')}/admin/ and /live/"
        staff = users.filter(is_staff=True, is_active=True).order_by("-is_superuser", "pk").first()
        if staff is not None:
            name = staff.get_username()
            self.stdout.write(f"Sign in as {name} at {pages}")
            self.stdout.write(f"Forgot the password? .venv/bin/python manage.py changepassword {name}")
            return
        if users.filter(username=username).exists():
            raise CommandError(
                f"There is no staff user, and {username} is the name of somebody who is none. "
                "Choose another name: manage.py ensure_login --username NAME"
            )
        password = get_random_string(16)
        users.create_superuser(username, password=password)
        self.stdout.write(f"Sign in at {pages}")
        self.stdout.write(f"  user      {username}")
        self.stdout.write(
            f"  password  {password}   (shown this once; manage.py changepassword {username} sets another)"
        )
