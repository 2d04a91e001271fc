"""`manage.py runserver` on cppasgi, in a copy of the example whose files the tests may touch."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from ports import free_port
from websockets.sync.client import connect

pytest.importorskip("cppasgi", reason="runserver is cppasgi's")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "verihome"
TIMEOUT = 30  # seconds; a start is a second or two on an idle machine


class Runserver:
    """One running `runserver` and what it printed."""

    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, text, times=1):
        end = time.monotonic() + TIMEOUT
        while self.text().count(text) < times:
            assert self.process.poll() is None, f"runserver ended:\n{self.text()}"
            assert time.monotonic() < end, f"no {text!r}:\n{self.text()}"
            time.sleep(0.02)


@pytest.fixture
def project(tmp_path):
    """A copy of the example."""
    return shutil.copytree(EXAMPLE, tmp_path / "verihome", ignore=shutil.ignore_patterns("db.*"))


@pytest.fixture
def runserver(project, environment, tmp_path):
    """Returns a context manager: `runserver("--noreload")` serves the copy on a free port."""

    @contextmanager
    def start(*options, **more):
        port = free_port()
        log = tmp_path / "runserver.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "runserver", str(port), *options],
                cwd=project,
                env={**environment, **more},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield Runserver(process, port, log)
        finally:
            process.terminate()  # The auto-reloader ends its child with itself.
            process.wait(20)

    return start


def login(server):
    body = {"username": "alice", "password": "demo-pass"}
    answer = httpx.post(server.url("/api/v1/auth/login/"), json=body)
    return answer.json()["access_token"]


def greet(server):
    """Opens a WebSocket, which must be greeted, and leaves it."""
    token = login(server)
    address = f"ws://127.0.0.1:{server.port}/ws/messaging/?token={token}"
    with connect(address, origin=server.url("")) as client:
        assert json.loads(client.recv(TIMEOUT))["type"] == "connection_established"


def test_pages_static_files_and_websockets_before_and_after_a_reload(runserver, project):
    """V5, C13."""
    banner = "Starting ASGI/cppasgi version"
    with runserver() as server:
        server.wait_for(banner)
        assert f"development server at {server.url('/')}\n" in server.text()
        assert httpx.get(server.url("/api/v1/health/")).status_code == 200
        script = httpx.get(server.url("/static/messaging/app.js"))
        assert script.content == (project / "messaging/static/messaging/app.js").read_bytes()
        greet(server)
        server.wait_for("WebSocket DISCONNECT /ws/messaging/ [127.0.0.1:")
        assert "WebSocket HANDSHAKING /ws/messaging/ [127.0.0.1:" in server.text()
        assert "WebSocket CONNECT /ws/messaging/ [127.0.0.1:" in server.text()
        assert "HTTP GET /api/v1/health/ 200 [0." in server.text()

        views = project / "messaging" / "page.py"
        views.write_text(
            "from django.http import HttpResponse\n"
            "def front_page(request):\n"
            "    return HttpResponse('changed')\n"
        )
        server.wait_for(banner, times=2)
        assert httpx.get(server.url("/")).text == "changed"
        assert httpx.get(server.url("/static/messaging/app.js")).content == script.content
        greet(server)


def test_no_static_files_when_told_so(runserver, project):
    """V5."""
    # Without Django's own pattern for static files.
    urls = "from django.urls import include, path\nurlpatterns = [path('api/', include([]))]\n"
    (project / "verihome" / "urls.py").write_text(urls)
    with runserver("--noreload", "--nostatic", "--skip-checks") as server:
        server.wait_for("Starting ASGI/cppasgi version")
        assert "Performing system checks" not in server.text()
        assert httpx.get(server.url("/static/messaging/app.js")).status_code == 404
        server.wait_for("HTTP GET /static/messaging/app.js 404 [0.")
