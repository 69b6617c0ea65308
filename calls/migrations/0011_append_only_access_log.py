"""PostgreSQL itself refuses to change or delete what the access log holds, but in a transaction that a purge marked."""

from __future__ import annotations

from typing import Any

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION calls_access_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('callsite.purge', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'the access log is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege',
            HINT = 'A purge begins its transaction with SET LOCAL callsite.purge = ''on''.';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON calls_accesslogentry
    FOR EACH STATEMENT EXECUTE FUNCTION calls_access_log_is_append_only();
"""
CHANGEABLE = """
DROP TRIGGER append_only ON calls_accesslogentry;
DROP FUNCTION calls_access_log_is_append_only();
"""


def on_postgresql(statements: str) -> Any:
    def run(apps: Any, schema_editor: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(statements, params=None)

    return run


class Migration(migrations.Migration):
    dependencies = [("calls", "0010_access_and_its_log")]

    operations = [migrations.RunPython(on_postgresql(APPEND_ONLY), on_postgresql(CHANGEABLE))]
