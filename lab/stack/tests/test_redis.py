import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lab.stack.redis import Redis

pytestmark = pytest.mark.usefixtures("starts_programs")


def test_redis_comes_back_empty_on_the_same_port():
    with Redis() as server:
        url = server.url
        for way in (server.stop, server.kill):
            server.command("SET", "known", "yes")
            way()
            with pytest.raises(redis.ConnectionError):
                server.command("PING")
            server.start()
            assert server.url == url
            assert server.command("GET", "known") is None
    assert not server.folder.exists()


def test_a_frozen_redis_takes_connections_and_says_nothing():
    with Redis() as server:
        server.freeze()
        client = redis.Redis(port=server.port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))
        with client, pytest.raises(redis.TimeoutError):
            client.ping()
        server.thaw()
        assert server.command("PING") is True
        server.freeze()
        server.stop()
        assert not server.process.running
