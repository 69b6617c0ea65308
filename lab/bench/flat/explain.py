"""`python -m lab.bench.flat.explain PATH …`: prints the plan of a page's slowest query, in DATABASE_URL's database."""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callsite.settings")


def main(paths: list[str]) -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(raise_request_exception=True, headers={"Host": "127.0.0.1"})
    client.force_login(get_user_model().objects.get(username="bench"))
    for path in paths:
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        slowest = max(queries.captured_queries, key=lambda query: float(query["time"]))
        print(f"## {path}\n\n{len(queries)} queries, the slowest takes {slowest['time']} s:\n\n{slowest['sql']}\n")
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + slowest["sql"].replace("%", "%%"), [])
            print("\n".join(row[0] for row in cursor.fetchall()), "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
