"""nginx in front: both servers must read the same requests out of the same bytes.

nginx gets the request streams of tests/data/http1, takes what it takes and forwards it over
connections that it keeps alive. Each request it forwards has an identity in its log; the
application must see exactly those that cppasgi answered with 200, with the same method, target and
content, and after each stream a request of another client must arrive untouched.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import StartServer
from ports import free_port
from server_process import ServerProcess
from wire import Wire

sys.path.append(str(Path(__file__).parent.parent / "fuzz"))
from make_http1_seeds import streams

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  log_format seen escape=json '{{"id":"$request_id","method":"$request_method",'
    '"target":"$request_uri","content":"$request_body","upstream":"$upstream_status"}}';
  access_log {folder}/access.log seen;
  keepalive_timeout 1s;
  lingering_close off;
  ignore_invalid_headers off;
  underscores_in_headers on;
  upstream cppasgi {{ server 127.0.0.1:{upstream}; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://cppasgi;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_set_header X-Request-Id $request_id;
      proxy_request_buffering {buffering};
      proxy_ignore_client_abort on;
      proxy_next_upstream off;
    }}
  }}
}}
"""


class Nginx:
    """A running nginx, and what it logs."""

    def __init__(self, folder: Path, upstream: int, buffering: str) -> None:
        self.port = free_port()
        self._log = folder / "access.log"
        configuration = folder / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder, upstream=upstream, port=self.port, buffering=buffering
            )
        )
        assert NGINX is not None
        self.process = subprocess.Popen(
            [NGINX, "-e", folder / "error.log", "-p", folder, "-c", configuration],
            stdin=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while True:
            with suppress(ConnectionRefusedError), self.connect():
                return
            assert self.process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < end, "nginx doesn't listen"
            time.sleep(0.02)

    def connect(self) -> Wire:
        return Wire.open(("127.0.0.1", self.port))

    def requests(self) -> list[dict[str, str]]:
        """The requests logged so far; not the one whose line nginx is just writing."""
        text = self._log.read_text(encoding="latin1")
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line, strict=False) for line in lines]

    def requests_up_to(self, target: str) -> list[dict[str, str]]:
        """The requests logged so far, as soon as one for `target` is there."""
        end = time.monotonic() + 10
        while True:
            seen = self.requests()
            if any(request["target"] == target for request in seen):
                return seen
            assert time.monotonic() < end, f"{target} isn't in nginx's log"
            time.sleep(0.005)


@pytest.fixture(params=["on", "off"], ids=["buffered", "streamed"])
def nginx(
    request: pytest.FixtureRequest, server: StartServer, tmp_path: Path
) -> Iterator[tuple[Nginx, ServerProcess]]:
    if NGINX is None:
        pytest.skip("nginx isn't installed")
    recorder = server("apps.recorder:app", "--lifespan", "off")
    front = Nginx(tmp_path, recorder.port, request.param)
    yield front, recorder
    front.process.terminate()
    front.process.wait(10)


def disagreement(
    forwarded: list[dict[str, str]], recorded: list[dict[str, Any]], buffered: bool
) -> str | None:
    """How the two logs differ, if they do."""
    served = [request for request in forwarded if request["upstream"] == "200"]
    if len(served) != len(recorded):
        return f"{len(served)} requests served, {len(recorded)} seen by the application"
    for front, seen in zip(served, recorded, strict=True):
        identities = [value for name, value in seen["fields"] if name == "x-request-id"]
        if identities != [front["id"]]:
            return f"request {front['id']} was seen as {identities}"
        # nginx drops the scheme and authority of an absolute-form.
        target = seen["target"] + ("?" + seen["query"] if seen["query"] else "")
        if seen["method"] != front["method"] or not front["target"].endswith(target):
            return f"{front['method']} {front['target']} was seen as {seen['method']} {target}"
        if buffered and seen["content"] != front["content"]:
            return f"content {front['content']!r} was seen as {seen['content']!r}"
    return None


@pytest.mark.timeout(180)
def test_nginx_and_cppasgi_read_the_same_requests(
    nginx: tuple[Nginx, ServerProcess], request: pytest.FixtureRequest
) -> None:
    front, recorder = nginx
    buffered = request.node.callspec.id == "buffered"
    disagreements = {}
    known = served = 0
    for name, stream in streams().items():
        with front.connect() as wire, suppress(BrokenPipeError, ConnectionResetError):
            wire.send(stream)
            wire.sock.shutdown(socket.SHUT_WR)
            wire.read_to_end()
        with front.connect() as wire:
            canary = f"/canary/{name}"
            wire.request(canary, "POST", "Content-Length: 6", "Connection: close", body=b"canary")
            assert wire.response().status == 200, f"the next client got an error after {name}"
        forwarded = front.requests_up_to(canary)[known:]
        known += len(forwarded)
        recorded = recorder.get("/recorded").json()
        found = disagreement(forwarded, recorded, buffered)
        if found is None and (recorded[-1]["target"], recorded[-1]["content"]) != (
            canary,
            "canary",
        ):
            found = f"the canary was seen as {recorded[-1]}"
        if found is not None:
            disagreements[name] = found
        served += len(recorded) - 1
    assert not disagreements
    assert served > 40, "nginx forwarded so little that this test shows nothing"
