"""Create an index on a large table while rows are written to it. For migrations with `atomic = False`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations.operations import AddIndex

PATIENT = ("statement_timeout", "lock_timeout")  # the build takes minutes, and waits for older transactions
# Only in a session of this client: behind a pooler the change would reach other clients (see `calls.postgres.session`).
LIFT = "SELECT current_setting(%(name)s), set_config(%(name)s, '0', false) WHERE pg_backend_pid() = %(pid)s"
IS_VALID = "SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid WHERE relname = %s"


class AddIndexOnline(AddIndexConcurrently):
    """Create an index, on PostgreSQL concurrently. A migration that was interrupted can be run again."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
            return
        self._ensure_not_in_transaction(schema_editor)
        with schema_editor.connection.cursor() as cursor, _patiently(cursor):
            cursor.execute(IS_VALID, [self.index.name])
            row = cursor.fetchone()
            if row is not None and not row[0]:
                name = schema_editor.quote_name(self.index.name)
                cursor.execute(f"DROP INDEX CONCURRENTLY {name}")
            if row is None or not row[0]:
                super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)
            return
        with schema_editor.connection.cursor() as cursor, _patiently(cursor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)


@contextmanager
def _patiently(cursor: Any) -> Iterator[None]:
    before = {}
    for name in PATIENT:
        cursor.execute(LIFT, {"name": name, "pid": cursor.connection.info.backend_pid})
        if row := cursor.fetchone():
            before[name] = row[0]
    try:
        yield
    finally:
        for name, value in before.items():
            cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
