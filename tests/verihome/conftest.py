"""Starts VeriHome under a real server and gives the tests clients for it.

The server is `--server-command` (default cppasgi; daphne, uvicorn, "python -m cppasgi" work too).
Tests of the protocol use `sites` and run twice: with one process and the in-memory layer, and with
two processes that share Redis, where alice is on the first and bob on the second.
"""

import asyncio
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import websockets
from ports import free_port

# Seconds until a server must have stopped. A consumer on Redis may take 10: channels_redis now and
# then overlooks that it is cancelled, and the server waits so long before it gives up.
STOP_TIME = 20
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "verihome"
SECRET_KEY = "a key for the tests only, long enough to be taken as one, 0123456789"
USERS = ("alice", "bob", "carol", "mod")
TIMEOUT = 10  # seconds until a frame that must come is missed
SILENCE = 0.3  # seconds without a frame until we believe that none comes


@dataclass
class Site:
    """A running server process."""

    port: int
    process: subprocess.Popen
    log: Path
    environment: dict

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self):
        return f"ws://127.0.0.1:{self.port}"

    def log_text(self):
        return self.log.read_text(errors="replace")


def wait_for_health(site):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if httpx.get(f"{site.base}/api/v1/health/", timeout=5).status_code == 200:
                return
        if site.process.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{site.log_text()}")


@contextmanager
def running(command, port, log, environment, folder=EXAMPLE):
    """Run a server until the block ends; it must then stop within STOP_TIME."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    site = Site(port, process, log, environment)
    try:
        wait_for_health(site)
        yield site
        assert process.poll() is None, f"the server ended:\n{site.log_text()}"
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIME)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """The environment of every process; its database is ready."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("REDIS_URL", "DEBUG", "ALLOWED_HOSTS", "DJANGO_SETTINGS_MODULE")
    }
    environment = {
        **kept,
        "DEMO_DB": str(tmp_path_factory.mktemp("verihome") / "db.sqlite3"),
        "SECRET_KEY": SECRET_KEY,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }
    for command in ("migrate", "seed_demo"):
        manage(environment, command)
    return environment


def manage(environment, *arguments):
    result = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=EXAMPLE,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def run_manage(environment):
    return lambda *arguments: manage(environment, *arguments)


@pytest.fixture(scope="session")
def start_site(server_command, environment, tmp_path_factory):
    """A function that returns a context manager with one more server process."""

    def start(**more):
        port = free_port()
        option = "--port" if "uvicorn" in server_command else "-p"
        command = [*server_command, option, str(port), "verihome.asgi:application"]
        log = tmp_path_factory.mktemp("server") / "server.log"
        return running(command, port, log, {**environment, **more})

    return start


@pytest.fixture(scope="session")
def start_script(environment, tmp_path_factory):
    """The same for one of the example's start scripts, which take the port from PORT.

    `folder` has the example, or a copy.
    """

    def start(script, folder=EXAMPLE, **more):
        port = free_port()
        log = tmp_path_factory.mktemp("server") / "server.log"
        more = {**environment, "PORT": str(port), **more}
        return running([f"./{script}"], port, log, more, folder)

    return start


@pytest.fixture(scope="session")
def site(start_site):
    """One process with the in-memory layer."""
    with start_site() as site:
        yield site


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    server = shutil.which("redis-server")
    if not server:
        pytest.skip("redis-server is not installed")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    options = f"--bind 127.0.0.1 --port {port} --save '' --appendonly no --dir {folder}"
    with (folder / "redis.log").open("w") as log:
        process = subprocess.Popen([server, *shlex.split(options)], stdout=log)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def redis_sites(start_site, redis_url):
    """Two processes that share Redis and the database."""
    with start_site(REDIS_URL=redis_url) as first, start_site(REDIS_URL=redis_url) as second:
        yield first, second


@pytest.fixture(scope="session", params=["one process", "two processes and Redis"])
def sites(request):
    """(alice's and carol's server, bob's and mod's server)."""
    if request.param == "one process":
        site = request.getfixturevalue("site")
        return site, site
    return request.getfixturevalue("redis_sites")


@pytest.fixture(scope="session")
def accounts(site):
    """user name -> what login answered, and the session cookie."""
    found = {}
    for name in USERS:
        body = {"username": name, "password": "demo-pass"}
        answer = httpx.post(f"{site.base}/api/v1/auth/login/", json=body)
        assert answer.status_code == 200, answer.text
        found[name] = {**answer.json(), "sessionid": answer.cookies["sessionid"]}
    return found


class Api:
    """The JSON API on one server, as one user."""

    def __init__(self, site, account=None):
        headers = {"Authorization": f"Bearer {account['access_token']}"} if account else {}
        self.client = httpx.Client(
            base_url=f"{site.base}/api/v1/", headers=headers, timeout=TIMEOUT
        )

    def get(self, path, **more):
        return self.client.get(path, **more)

    def post(self, path, body=None, **more):
        return self.client.post(path, **{"json": body, **more})


@pytest.fixture
def api(site, accounts):
    """A function: user name, and optionally a site, to an Api; nobody when the name is None."""
    opened = []

    def make(name, on=site):
        opened.append(Api(on, accounts[name] if name else None))
        return opened[-1]

    yield make
    for one in opened:
        one.client.close()


def thread_between(site, account, username):
    api = Api(site, account)
    with api.client:
        return api.post("threads/", {"username": username}).json()["id"]


@pytest.fixture(scope="session")
def thread_id(site, accounts):
    """The thread of alice and bob."""
    return thread_between(site, accounts["alice"], "bob")


@pytest.fixture(scope="session")
def foreign_thread_id(site, accounts):
    """A thread that alice is not in."""
    return thread_between(site, accounts["bob"], "carol")


class Frames:
    """A client's socket, seen as JSON objects."""

    def __init__(self, connection):
        self.connection = connection
        self.ignored = ()  # types of frames that may come at any time and do not matter

    async def send(self, type, **fields):
        await self.connection.send(json.dumps({"type": type, **fields}))

    async def next(self):
        while True:
            text = await asyncio.wait_for(self.connection.recv(), TIMEOUT)
            assert isinstance(text, str), "a server frame is a text message"
            frame = json.loads(text)
            assert isinstance(frame, dict)
            if frame["type"] not in self.ignored:
                return frame

    async def expect(self, type):
        """Return the next frame, which must be of this type."""
        frame = await self.next()
        assert frame["type"] == type, frame
        return frame

    async def rest(self):
        """Return the frames that still come until there is silence."""
        frames = []
        with suppress(asyncio.TimeoutError):
            while True:
                frames.append(json.loads(await asyncio.wait_for(self.connection.recv(), SILENCE)))
        return frames

    async def error(self):
        frame = await self.expect("error")
        assert isinstance(frame["message"], str)
        return frame["code"]


@pytest_asyncio.fixture
async def open_socket(sites, accounts):
    """A function that opens a route as a user, by token, and has read the greeting."""
    async with AsyncExitStack() as stack:

        async def connect(name, route, on=None):
            site = on or sites[0 if name in ("alice", "carol") else 1]
            token = accounts[name]["access_token"]
            connection = await stack.enter_async_context(
                websockets.connect(f"{site.ws}{route}?token={token}", origin=site.base)
            )
            frames = Frames(connection)
            frames.greeting = await frames.expect("connection_established")
            return frames

        yield connect


@pytest.fixture
def handshake():
    """A function that opens a route with any query, origin and headers, or raises."""

    def connect(site, route, **more):
        return websockets.connect(f"{site.ws}{route}", **{"origin": site.base, **more})

    return connect
