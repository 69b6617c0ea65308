import psycopg
import pytest

from lab.stack import postgres_binaries
from lab.stack.owner import Owner
from lab.stack.postgres import Postgres
from lab.stack.process import ServerError

pytestmark = pytest.mark.usefixtures("starts_programs")


def test_postgresql_keeps_committed_rows_over_every_way_to_stop():
    with Postgres() as postgres:
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE kept (way text)")
        for way in (postgres.stop, lambda: postgres.stop(immediate=True), postgres.kill):
            with psycopg.connect(postgres.url) as connection:
                connection.execute("INSERT INTO kept VALUES ('before')")
            way()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(postgres.url)
            postgres.start()
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (3,)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
    assert not postgres.folder.exists()
    assert not postgres.process.running


def test_postgresql_searches_without_case_beyond_ascii():
    with Postgres(durable=False) as postgres, psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT upper('żółć é')").fetchone() == ("ŻÓŁĆ É",)
        assert connection.execute("SHOW fsync").fetchone() == ("off",)


def test_postgresql_says_why_it_did_not_start():
    with Postgres(durable=False) as postgres:
        postgres.stop()
        (postgres.folder / "data" / "PG_VERSION").write_text("8\n")
        with pytest.raises(ServerError, match="incompatible"):
            postgres.start()


def test_the_wheel_carries_a_postgres_that_the_owner_can_run():
    owner = Owner.for_servers()
    binaries = postgres_binaries.unpacked_wheel(owner)
    assert owner.reaches(binaries / "postgres")
    assert (postgres_binaries.major_version(binaries) or 0) >= postgres_binaries.OLDEST_MAJOR
