"""Runs the examples under real servers, and speaks to them: processes, Redis, HTTP, sockets."""

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import websockets
from ports import free_port

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECRET_KEY = "a key for the tests only, long enough to be taken as one, 0123456789"
TIMEOUT = 10  # seconds until a frame that must come is missed
# Seconds until a server must have stopped. A consumer on Redis may take 10: channels_redis now and
# then overlooks that it is cancelled, and the server waits so long before it gives up.
STOP_TIME = 20
SILENCE = 0.25  # seconds without a frame until we believe that none comes
TLS = ssl.create_default_context()  # made once: it costs more than a request


def request(method, url, **more):
    """One HTTP request over a connection of its own, with no memory of cookies."""
    return httpx.request(method, url, **{"timeout": TIMEOUT, "verify": TLS, **more})


def assert_mod_uses_the_admin(site, *models):
    """The staff of the demo sees the lists of these models ("app/model"), the anonymous a login."""
    with httpx.Client(base_url=site.base, verify=TLS, timeout=TIMEOUT) as client:
        assert client.get("/admin/").headers["Location"].startswith("/admin/login/")
        client.get("/admin/login/")
        form = {
            "username": "mod",
            "password": "demo-pass",
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
            "next": "/admin/",
        }
        assert client.post("/admin/login/", data=form).status_code == 302
        index = client.get("/admin/").text
        for model in models:
            assert f"/admin/{model}/" in index
            assert client.get(f"/admin/{model}/").status_code == 200


@dataclass(frozen=True)
class Example:
    """One of the examples: its folder's name, what a server is given, where its API starts."""

    name: str
    target: str
    api: str

    @property
    def folder(self):
        return EXAMPLES / self.name

    @property
    def is_django(self):
        return self.name != "sensors"

    def api_path(self, path):
        """The path of an endpoint; Django's end in a slash."""
        return f"{self.api}/{path}{'/' if self.is_django else ''}"


SENSORS = Example("sensors", "sensors.main:app", "/api/v1")
REDRED = Example("redred", "redred.asgi:application", "/api")
IDRISSIMART = Example("idrissimart", "idrissimart.asgi:application", "/api")


@dataclass
class Site:
    """A running server process."""

    example: Example
    port: int
    process: subprocess.Popen
    log: Path
    stopped: bool = False

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self):
        return f"ws://127.0.0.1:{self.port}"

    def log_text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """End the server politely; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.stopped = True
        try:
            return self.process.wait(STOP_TIME)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the server did not stop:\n{self.log_text()[-5000:]}")

    def health(self):
        return request("GET", self.base + self.example.api_path("health"))


def wait_for_health(site):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and site.process.poll() is None:
        with suppress(httpx.TransportError):
            if site.health().status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail(f"the server did not start:\n{site.log_text()}")


@contextmanager
def running(example, command, port, log, environment):
    """Run a server until the block ends; it must then stop within STOP_TIME."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=example.folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    site = Site(example, port, process, log)
    try:
        wait_for_health(site)
        yield site
        if not site.stopped:
            assert process.poll() is None, f"the server ended:\n{site.log_text()}"
            site.stop()
    finally:
        process.kill()
        process.wait()


def serving(example, server_command, folder, environment, *options, port=None):
    """Run `server_command` with the example, on a free port or the one given."""
    port = port or free_port()
    port_option = "--port" if "uvicorn" in server_command[-1] else "-p"
    command = [*server_command, port_option, str(port), *options, example.target]
    return running(example, command, port, folder / f"server-{port}.log", environment)


def clean_environment(folder):
    """The environment of every process, with a database that no other has."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("REDIS_URL", "DEBUG", "ALLOWED_HOSTS", "DJANGO_SETTINGS_MODULE")
    }
    return {
        **kept,
        "DEMO_DB": str(folder / "db.sqlite3"),
        "SECRET_KEY": SECRET_KEY,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }


def manage(example, environment, *arguments):
    """Run a management command; return what it printed."""
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=example.folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@contextmanager
def redis_running(folder, *options, port=None):
    """Run Redis until the block ends; yields its port and process."""
    server = shutil.which("redis-server")
    if not server:
        pytest.skip("redis-server is not installed")
    port = port or free_port()
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
    with (folder / "redis.log").open("a") as log:
        process = subprocess.Popen([*map(str, command), *options], stdout=log)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield port, process
    finally:
        process.terminate()
        process.wait()


class Account:
    """One user's login at a site: an HTTP client with his token, and his session cookie."""

    def __init__(self, site, name):
        body = {"username": name, "password": "demo-pass"}
        answer = request("POST", site.base + site.example.api_path("auth/login"), json=body)
        assert answer.status_code == 200, answer.text
        self.login = answer.json()
        self.id = self.login["user_id"]
        self.name = name
        self.example = site.example
        self.token = self.login["access_token"]
        self.cookie = f"sessionid={answer.cookies.get('sessionid')}"

    def call(self, site, method, path, body=None):
        """Call an endpoint of a site (which may be another than that of the login)."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{site.base}{self.example.api}/{path}"
        return request(method, url, json=body, headers=headers)


class Frames:
    """A client's socket, seen as JSON objects."""

    def __init__(self, connection):
        self.connection = connection
        self.seen = []  # what `wait_for` passed over

    async def send(self, type, **fields):
        await self.connection.send(json.dumps({"type": type, **fields}))

    async def send_data(self, type, **data):
        await self.connection.send(json.dumps({"type": type, "data": data}))

    async def next(self, timeout=TIMEOUT):
        text = await asyncio.wait_for(self.connection.recv(), timeout)
        assert isinstance(text, str), "a server frame is a text message"
        frame = json.loads(text)
        assert isinstance(frame, dict)
        return frame

    async def expect(self, type):
        """Return the next frame, which must be of this type."""
        frame = await self.next()
        assert frame["type"] == type, frame
        return frame

    async def wait_for(self, type, **data):
        """Return the first frame of this type and with these fields in `data`; keep the others."""
        while True:
            frame = await self.next()
            fields = frame.get("data", frame)
            if frame["type"] == type and all(fields.get(k) == v for k, v in data.items()):
                return frame
            self.seen.append(frame)

    async def rest(self):
        """Return the frames that still come until there is silence."""
        frames = []
        with suppress(asyncio.TimeoutError):
            while True:
                frames.append(await self.next(SILENCE))
        return frames

    async def error(self):
        """Return the code of the error frame that must come next."""
        frame = await self.expect("error")
        fields = frame.get("data", frame)
        assert isinstance(fields["message"], str)
        return fields["code"]

    async def closed(self):
        """Wait for the end of the socket; return the close code."""
        await asyncio.wait_for(self.connection.wait_closed(), TIMEOUT)
        return self.connection.close_code


def handshake(site, route, account=None, **more):
    """Open a route; the Origin is the site's own unless given."""
    headers = {"Cookie": account.cookie} if account else {}
    options = {"origin": site.base, "additional_headers": headers, "open_timeout": TIMEOUT}
    return websockets.connect(f"{site.ws}{route}", **{**options, **more})


async def assert_refused(connecting, *statuses):
    """The upgrade is answered with 403, or one of the statuses given."""
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connecting:
            pass
    assert refused.value.response.status_code in (statuses or (403,))


# What must not be understood, and the code of the error that says so.
BAD_FRAMES = [
    ("{", "invalid_json"),
    ("", "invalid_json"),
    ("[1]", "invalid_json"),
    ("null", "invalid_json"),
    ("[" * 50_000, "invalid_json"),
    (b'{"type":"ping"}', "invalid_json"),
    ("{}", "unknown_type"),
    ('{"type":"no_such","data":{}}', "unknown_type"),
    ('{"type":7,"data":{}}', "unknown_type"),
    ('{"type":["ping"],"data":{}}', "unknown_type"),
]


async def assert_errors(frames, cases=BAD_FRAMES):
    """Each raw message gets its error, and the socket stays open."""
    for raw, code in cases:
        await frames.connection.send(raw)
        assert await frames.error() == code, raw[:60]
