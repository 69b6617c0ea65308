"""Settings as people write them: taken as meant, or refused in a line that says what to write."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values

from callsite import channel_layer
from callsite.environment import Environment
from conftest import manage
from lab.stack.dotenv import CHECKOUT

NAMES = sorted(dotenv_values(CHECKOUT / ".env.example"))
READ = "import json; from django.conf import settings; print(json.dumps([getattr(settings, n) for n in {names}]))"


def settings_of(env, *names):
    """What the settings become in a process of its own with `env`; `names` are Django's."""
    own = {**os.environ, "DJANGO_SETTINGS_MODULE": "callsite.settings", "DJANGO_DEBUG": "true", "REDIS_URL": "", **env}
    command = [sys.executable, "-c", READ.format(names=names)]
    done = subprocess.run(command, cwd=CHECKOUT, env=own, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def environment(tmp_path, monkeypatch, value, *, by_file=False):
    if by_file:
        (tmp_path / ".env").write_text(f"X={value}\n")
    else:
        monkeypatch.setenv("X", value)
    return Environment(tmp_path / ".env")


@pytest.mark.parametrize("by_file", [True, False])
@pytest.mark.parametrize(
    "written", ["a.example,b.example", " a.example , b.example ", "a.example,,b.example,", "'a.example, b.example'"]
)
def test_a_list_is_taken_as_meant(tmp_path, monkeypatch, written, by_file):
    assert environment(tmp_path, monkeypatch, written, by_file=by_file).items("X") == ["a.example", "b.example"]


def test_each_item_may_have_quotes_of_its_own(tmp_path, monkeypatch):
    assert environment(tmp_path, monkeypatch, '"a","b" , \'c\',"').items("X") == ["a", "b", "c", '"']


@pytest.mark.parametrize("empty", ["", "  ", '""', "''"])
def test_a_setting_that_is_set_and_empty_has_its_default(tmp_path, monkeypatch, empty):
    (tmp_path / ".env").write_text("X=from the file, which the environment overrides\n")
    env = environment(tmp_path, monkeypatch, empty)
    assert (env.text("X"), env.text("X", "else"), env.items("X")) == ("", "else", [])
    assert (env.flag("X", True), env.flag("X", False), env.limit("X", 7), env.json("X", "{}")) == (True, False, 7, {})


@pytest.mark.parametrize(("written", "meant"), [("True", True), (" yes ", True), ('"on"', True), ("0", False)])
def test_a_flag_is_any_usual_word(tmp_path, monkeypatch, written, meant):
    assert environment(tmp_path, monkeypatch, written).flag("X", not meant) is meant


@pytest.mark.parametrize(("written", "meant"), [("0", 0), (" 65_536 ", 65_536), ('"5"', 5)])
def test_a_limit_is_a_whole_number(tmp_path, monkeypatch, written, meant):
    assert environment(tmp_path, monkeypatch, written).limit("X", 3) == meant


def test_every_setting_may_be_set_and_empty(starts_programs):
    bare = {"DJANGO_DEBUG": "true", "DATABASE_URL": "sqlite://:memory:"}  # the key may be empty with these alone
    names = ("WEBHOOK_MAX_BYTES", "WS_MAX_SUBSCRIPTIONS", "ELEVENLABS_DYNAMIC_VARIABLES", "ALLOWED_HOSTS", "LOG_LEVEL")
    assert settings_of({**dict.fromkeys(NAMES, ""), **bare}, *names) == [64 * 2**20, 100, {}, [], "INFO"]
    refused = check({**dict.fromkeys(NAMES, ""), "DATABASE_URL": "sqlite://:memory:"})
    assert refused.stderr.splitlines() == [
        "The settings are wrong: DJANGO_SECRET_KEY is empty: set it to 50 or more random characters."
    ]


def test_hosts_origins_and_secrets_are_trimmed_where_django_reads_them(starts_programs):
    written = {
        "DJANGO_ALLOWED_HOSTS": "a.example, b.example",
        "CSRF_TRUSTED_ORIGINS": "http://a.example, https://b.example",
        "ELEVENLABS_WEBHOOK_SECRET": ' "wsec_one" , wsec_two\n',
    }
    names = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "ELEVENLABS_WEBHOOK_SECRET", "SESSION_COOKIE_SECURE")
    assert settings_of(written, *names) == [
        ["a.example", "b.example"],
        ["http://a.example", "https://b.example"],
        "wsec_one,wsec_two",
        True,
    ]


@pytest.mark.parametrize(
    ("name", "written", "said"),
    [
        ("DJANGO_DEBUG", "maybe", "DJANGO_DEBUG must be true or false."),
        ("ELEVENLABS_CREATE_UNKNOWN_CALLS", "2", "ELEVENLABS_CREATE_UNKNOWN_CALLS must be true or false."),
        ("WS_MAX_SUBSCRIPTIONS", "-1", "WS_MAX_SUBSCRIPTIONS must be a whole number in digits, as in 100"),
        ("WEBHOOK_MAX_BYTES", "64MB", "WEBHOOK_MAX_BYTES must be a whole number in digits, as in 67108864"),
        ("CALLS_VISIBLE_BY_DEFAULT", "some", "CALLS_VISIBLE_BY_DEFAULT must be all or none."),
        ("ELEVENLABS_DYNAMIC_VARIABLES", "{company: Acme}", "ELEVENLABS_DYNAMIC_VARIABLES must be JSON, as in {}."),
        ("DATABASE_URL", "postgres://u:p#q@h/x", "DATABASE_URL must be postgres://USER:PASSWORD@HOST:PORT/NAME"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL must be redis://HOST:PORT/0, rediss://HOST:PORT/0 or unix:///PATH."),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_the_mend_in_one_line(starts_programs, name, written, said):
    refused = check({"DJANGO_DEBUG": "true", name: written})
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"The settings are wrong: {said}")


@pytest.mark.parametrize(
    "written",
    [
        *("nonsense", "file.sqlite3", "postgresql+psycopg://u:p@h/x", "mysql://u:p@h/x", "postgres://u:p@h/"),
        *("postgres://u:p#q@h:5432/x", "postgres://u:p@h:port/x", "http://h/x"),
    ],
)
def test_an_address_of_no_database_is_refused_without_its_password(tmp_path, monkeypatch, written):
    with pytest.raises(ImproperlyConfigured, match="X must be postgres://") as refused:
        environment(tmp_path, monkeypatch, written).database("X", "")
    assert "p#q" not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *(("postgres://u:p%23q@h:5432/x", "x"), (" 'postgresql:///x' ", "x"), ("pgsql://u@h/x?sslmode=require", "x")),
        *(("sqlite:///a/b.sqlite3", "a/b.sqlite3"), ("sqlite://:memory:", ":memory:"), ("", "else.sqlite3")),
    ],
)
def test_an_address_of_a_database_is_taken(tmp_path, monkeypatch, written, name):
    assert environment(tmp_path, monkeypatch, written).database("X", "sqlite:///else.sqlite3")["NAME"] == name


@pytest.mark.parametrize(
    "written",
    [
        *("127.0.0.1:6379", "localhost", "http://h", "valkey://h:6379", "redis://h:port/0", "redis://h:6379/x"),
        *("redis://h:6379/0,redis://i:6379/0", "unix://", "redis://:p#q@h:6379/0", "redis://h?socket_timeout=soon"),
    ],
)
def test_an_address_of_no_redis_is_refused_without_its_password(written):
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must be redis://HOST:PORT/0") as refused:
        channel_layer.host(written)
    assert "p#q" not in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        *("redis://h:6379/0", "redis://h", "redis://u:p%23q@h:6379/15/", "rediss://h:6379/0?ssl_cert_reqs=none"),
        *("unix:///run/redis.sock", "unix:///run/redis.sock?db=1"),
    ],
)
def test_an_address_of_a_redis_is_taken(written):
    assert channel_layer.host(written)["address"] == written


@pytest.mark.parametrize("written", ['{"a": NaN}', '{"a": -Infinity}', '{"a": "\\ud800"}', "{'a': 1}"])
def test_json_that_cannot_be_sent_again_is_refused(tmp_path, monkeypatch, written):
    with pytest.raises(ImproperlyConfigured, match="X must be JSON"):
        environment(tmp_path, monkeypatch, written).json("X", "{}")


def test_a_dotenv_in_another_encoding_is_named(tmp_path):
    (tmp_path / ".env").write_text("X=ü\n", encoding="latin-1")
    with pytest.raises(ImproperlyConfigured, match="is not UTF-8"):
        Environment(tmp_path / ".env")


def test_each_setting_of_the_example_is_read_by_something():
    """A setting that does nothing misleads whoever fills it in."""
    source = "".join(
        path.read_text()
        for room in ("callsite", "calls", "webhooks", "realtime", "upstream")
        for path in (CHECKOUT / room).rglob("*.py")
        if "tests" not in path.relative_to(CHECKOUT).parts
    )
    for name in NAMES:
        ours = name.removeprefix("DJANGO_")
        used = re.findall(rf"settings\.{ours}\b|\b{ours}\b(?! = env)|\"{name}\"", source)
        assert len(used) >= 2, name


def check(env):
    try:
        return manage({"DJANGO_SECRET_KEY": "", **env}, "check")
    except subprocess.CalledProcessError as error:
        return error
