import urllib.request

import pytest

from lab.stack.process import ServerError
from lab.stack.webserver import WebServer

pytestmark = pytest.mark.usefixtures("starts_programs")
ENV = {
    "DATABASE_URL": "sqlite://:memory:",
    "REDIS_URL": "",
    "DJANGO_DEBUG": "true",
    "DJANGO_SECRET_KEY": "x" * 50,
}


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_callsite_serves_under_its_production_command(server):
    with WebServer(ENV, server=server) as web:
        for way in (web.kill, web.terminate):
            with urllib.request.urlopen(f"{web.url}/healthz") as answer:
                assert answer.status == 200
            way()
            assert not web.process.running
            web.start()
        assert "127.0.0.1" in web.log
    assert not web.folder.exists()


def test_the_web_server_shows_the_log_of_a_server_that_does_not_start():
    web = WebServer(ENV, application="no_such_module:application")
    with pytest.raises(ServerError, match="no_such_module"), web:
        pass
    assert not web.folder.exists()
