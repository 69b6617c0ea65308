"""PostgreSQL compresses large values with lz4 from here on, where it can: that costs it half of what its own method does."""

from __future__ import annotations

from typing import Any

from django.db import migrations

LZ4 = """
DO $$ BEGIN
    ALTER TABLE calls_call
        ALTER COLUMN analysis_data SET COMPRESSION lz4,
        ALTER COLUMN metadata_json SET COMPRESSION lz4,
        ALTER COLUMN final_transcript SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;  -- this PostgreSQL was built without lz4
END $$
"""


def use_lz4(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(LZ4)


class Migration(migrations.Migration):
    dependencies = [("calls", "0004_search_words")]

    operations = [migrations.RunPython(use_lz4, migrations.RunPython.noop)]
