"""The shipped nginx files, in front of callsite: what they compress, pass through and write down."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import socket
import subprocess

import httpx
import pytest
import websockets
from django.contrib.auth.models import Permission
from rest_framework_simplejwt.tokens import AccessToken

from conftest import ElevenLabs, payload
from lab.stack.owner import Owner
from lab.stack.ports import free_port, is_open
from lab.stack.process import Process
from lab.stack.server import Server
from lab.stack.webserver import CHECKOUT

DEPLOY = CHECKOUT / "deploy"
NEW, OLD = ((DEPLOY / name).read_text() for name in ("nginx.conf", "nginx-1.22.conf"))
WITHOUT_RESOLVE = (1, 27, 3)  # older ones do not know the word
AUDIO = bytes(range(256)) * 40


def find_nginx():
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def version():
    said = subprocess.run([find_nginx(), "-v"], capture_output=True, text=True, check=True).stderr
    return tuple(map(int, re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said).groups()))


@pytest.fixture(scope="module")
def nginx(starts_programs):
    found = find_nginx()
    if not found:
        pytest.skip("there is no nginx here: apt-get install nginx-light")
    return found


class Nginx(Server):
    """nginx with a shipped file, of which paths, ports and the user become those of a test."""

    def __init__(self, program, text, port_of_web):
        folder = Owner().make_folder("nginx")
        super().__init__(folder, Process("nginx", folder / "nginx.log"))
        self.program, self.port = program, free_port()
        text = re.sub(r"server (web-\d|127\.0\.0\.1):\d+", f"server 127.0.0.1:{port_of_web}", text)
        text = text.replace("listen 8000;", f"listen 127.0.0.1:{self.port};")
        text = re.sub(r"/tmp/|/run/|/var/log/nginx/", f"{folder}/", text)
        text = re.sub(r"/dev/std(out|err)\b", f"{folder}/nginx.log", text)
        text = re.sub(r"(?m)^user .*", "user root;" if os.geteuid() == 0 else "", text)
        if "client_body_temp_path" not in text:  # Debian's own folders are root's
            kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            text = text.replace("http {", "http {" + "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds), 1)
        self.file = folder / "test.conf"
        self.file.write_text(text)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def logs(self):
        return "".join(path.read_text() for path in self.folder.glob("*.log"))

    def check(self):
        return subprocess.run([self.program, "-t", "-c", self.file], capture_output=True, text=True)

    def start(self):
        self.process.start([self.program, "-c", self.file, "-g", "daemon off;"], cwd=self.folder)
        self.process.wait_until(lambda: is_open(self.port))


def without_resolve(text):
    return re.sub(r"(?m)^ *resolver .*\n", "", text).replace(" resolve ", " ")


@pytest.fixture(params=["nginx.conf", "nginx-1.22.conf"])
def proxy(request, nginx, site):
    text = (DEPLOY / request.param).read_text()
    with Nginx(nginx, without_resolve(text) if version() < WITHOUT_RESOLVE else text, site.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy):
    with httpx.Client(base_url=proxy.url, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("name", ["nginx.conf", "nginx-1.22.conf"])
def test_nginx_takes_the_file_as_it_is_shipped(nginx, name):
    if name == "nginx.conf" and version() < WITHOUT_RESOLVE:
        pytest.skip("nginx.conf needs nginx 1.27.3")
    shipped = Nginx(nginx, (DEPLOY / name).read_text(), free_port())
    checked = shipped.check()
    shipped.close()
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr


def test_both_files_are_the_same_from_the_log_on():
    logs = re.compile(r"/dev/std(out|err)|/var/log/nginx/(access|error).log")
    new, old = (logs.sub("LOG", text).partition("    log_format callsite")[2] for text in (NEW, OLD))
    assert len(new.splitlines()) > 80
    assert new == old


def test_texts_are_compressed_and_audio_is_not(site, client, call, token, dispatcher):
    dispatcher.user_permissions.add(Permission.objects.get(codename="view_callrecording"))
    body = payload("audio_small_mp3", call.conversation_id)
    body["data"]["full_audio"] = base64.b64encode(AUDIO).decode()
    assert site.post_call(body).status_code == 200
    assert site.post_call(payload("transcription_full_featured", call.conversation_id)).status_code == 200
    client.headers["Authorization"] = f"Bearer {token}"
    path = f"/api/calls/{call.call_sid}/"
    for text in (
        "/static/realtime/callsite-client.js",
        "/static/realtime/live/page.css",
        "/login/",
        "/api/schema/",
        path,
    ):
        packed = client.get(text)
        assert packed.headers["Content-Encoding"] == "gzip", text
        assert "Accept-Encoding" in packed.headers["Vary"]
        plain = client.get(text, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
    whole = client.get(f"{path}recording/")
    assert (whole.content, "Content-Encoding" in whole.headers) == (AUDIO, False)
    part = client.get(f"{path}recording/", headers={"Range": "bytes=5-9", "If-Range": whole.headers["ETag"]})
    assert (part.status_code, part.content) == (206, AUDIO[5:10])


def test_webhooks_and_sockets_pass_through(proxy, call, token):
    elevenlabs = ElevenLabs(proxy.url)
    assert elevenlabs.turn(call_sid=call.call_sid, speaker="user", message="Hello").status_code == 201
    assert elevenlabs.post_call(b'"' + b"x" * 2**22 + b'"').json()["message"] == "Invalid webhook payload"
    assert elevenlabs.client.get("/metrics").status_code == 404
    elevenlabs.client.close()

    async def listen():
        url = f"ws://127.0.0.1:{proxy.port}/ws/calls/transcriptions"
        async with websockets.connect(url, subprotocols=["callsite.v1", f"bearer.{token}"], proxy=None) as connection:
            await connection.send('{"ping": 1}')
            return await connection.recv()

    assert "pong" in asyncio.run(listen())


@pytest.mark.parametrize("away", [False, True])
def test_no_token_and_no_search_is_in_its_logs_even_while_callsite_is_away(nginx, site, dispatcher, away):
    token = str(AccessToken.for_user(dispatcher))
    with Nginx(nginx, OLD, free_port() if away else site.port) as proxy:
        for path in ("/ws/calls/transcriptions", "/api/calls/", "/login/", "/webhooks/elevenlabs/post-call"):
            for query in (f"TOKEN={token}", f"%74oken={token}", f"a=1&token={token}", "search=%2B15550009999"):
                with httpx.Client(base_url=proxy.url, trust_env=False, headers={"Referer": f"x?{query}"}) as client:
                    assert (client.get(f"{path}?{query}").status_code == 502) is away
        with socket.create_connection(("127.0.0.1", proxy.port)) as broken:
            broken.sendall(f"GET /login/?TOKEN={token} HTTP/1.1\r\nHost: x\r\nBroken header {token}\r\n\r\n".encode())
            assert broken.recv(100).startswith(b"HTTP/1.1 ")
        logs = proxy.logs
    assert logs.count("GET /ws/calls/transcriptions") >= 4
    assert token.split(".")[1] not in logs
    assert "15550009999" not in logs
