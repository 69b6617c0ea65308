"""Django's sessions in the database, for keys as clients send them."""

from __future__ import annotations

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:  # the types do not have it
        """A cookie can say the character NUL (`"\\000"`), which PostgreSQL does not even compare. It is no session."""
        return super()._validate_session_key(key) and key is not None and "\x00" not in key  # type: ignore[misc]
