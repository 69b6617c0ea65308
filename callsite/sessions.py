"""Django's sessions in the database, for any session key that a client may send."""

from __future__ import annotations

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:  # not in the type stubs
        """Refuse a key with the character NUL: a cookie can hold it (`"\\000"`), and PostgreSQL cannot compare it."""
        return super()._validate_session_key(key) and key is not None and "\x00" not in key  # type: ignore[misc]
