"""The examples as they stand in production: nginx with TLS in front, Gunicorn, Redis, restarts."""

import asyncio
import itertools
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, suppress

import httpx
import pytest
import websockets
from nginx import everything_to, make_certificate, nginx_running, trusting
from ports import free_port
from sites import (
    IDRISSIMART,
    REDRED,
    TIMEOUT,
    Account,
    Frames,
    handshake,
    redis_running,
    request,
    running,
)

PRODUCTION = "idrissimart.settings.settings_production"

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    return make_certificate(tmp_path_factory.mktemp("tls"))


def site_file(ports, certificate, folder):
    """IdrissiMart's own nginx file with this machine's ports and paths."""
    text = (IDRISSIMART.folder / "nginx_channels.conf").read_text()
    http, https, asgi, wsgi = ports
    for written, here in (
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        ("127.0.0.1:8001", f"127.0.0.1:{asgi}"),
        ("127.0.0.1:8000", f"127.0.0.1:{wsgi}"),
        ("server_name idrissimart.example;", "server_name localhost;"),
        ("/etc/ssl/idrissimart/fullchain.pem", str(certificate[0])),
        ("/etc/ssl/idrissimart/privkey.pem", str(certificate[1])),
        ("/var/log/nginx", str(folder)),
        ("/srv/idrissimart/staticfiles", str(folder / "staticfiles")),
    ):
        assert written in text
        text = text.replace(written, here)
    return text


async def test_idrissimart_split_over_gunicorn(
    start_site, environments, certificate, tmp_path, server_command
):
    """I1, I2, I7: nginx ends TLS, /ws/ goes to ASGI, the rest to Gunicorn; Redis has a password."""
    with ExitStack() as stack:
        redis, _ = stack.enter_context(redis_running(tmp_path, "--requirepass", "secret"))
        more = {
            "REDIS_URL": f"redis://:secret@127.0.0.1:{redis}/0",
            "DJANGO_SETTINGS_MODULE": PRODUCTION,
        }
        options = [] if "uvicorn" in server_command[-1] else ["--proxy-headers"]
        asgi = stack.enter_context(start_site(IDRISSIMART, *options, **more))
        environment = {**environments(IDRISSIMART), **more}
        wsgi = free_port()
        command = ["gunicorn", "--bind", f"127.0.0.1:{wsgi}", "idrissimart.wsgi:application"]
        log = tmp_path / "gunicorn.log"
        gunicorn = stack.enter_context(running(IDRISSIMART, command, wsgi, log, environment))
        http, https = free_port(), free_port()
        sites = site_file((http, https, asgi.port, wsgi), certificate, tmp_path)
        stack.enter_context(nginx_running(tmp_path, sites, http, https))

        base, tls = f"https://localhost:{https}", trusting(certificate[0])
        assert request("GET", f"http://localhost:{http}/x").headers["Location"].startswith("https:")
        login = {"username": "bob", "password": "demo-pass"}
        answer = request("POST", f"{base}/api/auth/login/", json=login, verify=tls)
        assert "Secure" in answer.headers["Set-Cookie"]
        scope = request("GET", f"{base}/api/debug/scope/", verify=tls).json()
        assert set(scope.values()) == {None}  # this is WSGI
        health = request("GET", f"{base}/api/health/", verify=tls).json()
        assert health["pid"] != asgi.process.pid
        assert health["channel_layer"] == "RedisChannelLayer"
        assert request("GET", f"{base}/", verify=tls).status_code == 200
        connecting = websockets.connect(
            f"wss://localhost:{https}/ws/chat/ad/1/",
            origin=base,
            ssl=tls,
            additional_headers={"Cookie": f"sessionid={answer.cookies['sessionid']}"},
        )
        async with connecting as connection:
            bob = Frames(connection)
            await bob.expect("history")
            await bob.send("message", message="Over TLS")
            message = await bob.expect("message")
        listed = request(
            "GET",
            f"{base}/api/chat/ad/1/messages/",
            headers={"Authorization": f"Bearer {answer.json()['access_token']}"},
            verify=tls,
        )
        assert listed.json()["results"][-1]["id"] == message["id"]
        assert gunicorn.process.poll() is None


async def test_everything_to_the_asgi_server(start_site, certificate, tmp_path, server_command):
    """I12: the scope names the browser and https; Upgrade and Host come through."""
    if "uvicorn" in server_command[-1]:
        pytest.skip("uvicorn has its own options for proxies")
    port = free_port()
    tls = f"ssl; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}"
    with (
        start_site(IDRISSIMART, "--proxy-headers") as site,
        nginx_running(tmp_path, everything_to([site.port], port, tls), port),
    ):
        base, context = f"https://localhost:{port}", trusting(certificate[0])
        scope = request("GET", f"{base}/api/debug/scope/", verify=context).json()
        assert (scope["client_host"], scope["host"]) == ("127.0.0.1", "localhost")
        if "cppasgi" in server_command[-1]:  # Daphne leaves the scheme as it is
            assert scope["scheme"] == "https"
        bob = Account(site, "bob")
        url = f"wss://localhost:{port}/ws/chat/ad/1/"
        options = {"additional_headers": {"Cookie": bob.cookie}, "ssl": context}
        async with websockets.connect(url, origin=base, **options) as connection:
            await Frames(connection).expect("history")


class Crowd:
    """Clients in one conversation that come back whenever their socket ends."""

    def __init__(self, size, url, origin, account):
        self.size = size
        self.url, self.origin, self.account = url, origin, account
        self.codes = []  # with which sockets ended
        self.here = 0
        self.received = {}  # message id -> how many got it
        self.is_leaving = False

    async def run(self):
        await asyncio.gather(*(self.client() for _ in range(self.size)))

    async def client(self):
        for attempt in itertools.count():
            with suppress(OSError, websockets.WebSocketException, asyncio.TimeoutError):
                await self.visit()
            if self.is_leaving:
                return
            await asyncio.sleep(min(0.2 * 1.5 ** min(attempt, 4), 1))

    async def visit(self):
        headers = {"Cookie": self.account.cookie}
        async with websockets.connect(
            self.url, origin=self.origin, additional_headers=headers, compression=None
        ) as connection:
            frames = Frames(connection)
            await frames.expect("history")
            self.here += 1
            try:
                while not self.is_leaving:
                    with suppress(asyncio.TimeoutError):
                        frame = await frames.next(1)
                        if frame["type"] == "message":
                            count = self.received.get(frame["id"], 0)
                            self.received[frame["id"]] = count + 1
            finally:
                self.here -= 1
                self.codes.append(connection.close_code)

    async def all_here(self):
        await wait_until(lambda: self.here == self.size)

    async def all_got(self, message_id, timeout=60):
        await wait_until(lambda: self.received.get(message_id, 0) >= self.size, timeout)


async def wait_until(condition, timeout=60):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def say(site, account, text):
    """Send a message over a socket of its own to one of the servers; return its id."""
    async with handshake(site, "/ws/chat/ad/1/", account) as connection:
        frames = Frames(connection)
        await frames.expect("history")
        await frames.send("message", message=text)
        return (await frames.expect("message"))["id"]


async def poll(url, answers, is_done):
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        while not is_done.is_set():
            answers.append((await client.get(url)).status_code)
            await asyncio.sleep(0.05)


async def test_restarts_while_many_talk(start_site, tmp_path, server_command, pytestconfig):
    """Rolling restart of two servers behind nginx, then Redis killed: everybody comes back.

    HTTP sees no error during the rolling restart, sockets close with 1001 (cppasgi), no server
    ends, and what was stored is there afterwards.
    """
    redis_port = free_port()
    more = {"REDIS_URL": f"redis://127.0.0.1:{redis_port}/0"}
    with ExitStack() as stack:
        redis = stack.enter_context(ExitStack())
        redis.enter_context(redis_running(tmp_path, port=redis_port))
        servers = [stack.enter_context(ExitStack()) for _ in range(2)]
        # Consumers that channels_redis keeps waiting would take the 10 s of the default.
        is_ours = "cppasgi" in server_command[-1]
        options = ["--graceful-timeout", "3"] if is_ours else []
        sites = [one.enter_context(start_site(IDRISSIMART, *options, **more)) for one in servers]
        ports = [site.port for site in sites]
        port = free_port()
        stack.enter_context(nginx_running(tmp_path, everything_to(ports, port), port))
        base = f"http://127.0.0.1:{port}"
        bob = Account(sites[0], "bob")
        size = pytestconfig.getoption("--clients")
        crowd = Crowd(size, f"ws://127.0.0.1:{port}/ws/chat/ad/1/", base, bob)
        talking = asyncio.create_task(crowd.run())
        await crowd.all_here()
        await crowd.all_got(await say(sites[0], bob, "Everybody here?"))

        answers, is_done = [], asyncio.Event()
        polling = asyncio.create_task(poll(f"{base}/api/health/", answers, is_done))
        for number in range(2):
            await asyncio.to_thread(servers[number].close)
            again = start_site(IDRISSIMART, *options, port=ports[number], **more)
            sites[number] = await asyncio.to_thread(servers[number].enter_context, again)
        await crowd.all_here()
        is_done.set()
        await polling
        assert len(answers) > 5
        assert set(answers) == {200}
        assert len(crowd.codes) >= crowd.size
        if is_ours:
            assert set(crowd.codes) == {1001}
        await crowd.all_got(await say(sites[1], bob, "And now?"))

        await asyncio.to_thread(redis.close)
        await asyncio.sleep(1)
        redis.enter_context(redis_running(tmp_path, port=redis_port))
        deadline = time.monotonic() + 60
        while True:  # who is there may still be on a socket that is about to end
            await crowd.all_here()
            with suppress(
                OSError, websockets.WebSocketException, asyncio.TimeoutError, AssertionError
            ):
                last = await say(sites[0], bob, "After Redis")
                await crowd.all_got(last, 5)
                break
            assert time.monotonic() < deadline
        assert all(site.process.poll() is None for site in sites)
        crowd.is_leaving = True
        await talking
        listed = bob.call(sites[0], "GET", "chat/ad/1/messages/").json()["results"]
        assert {message["id"] for message in listed} >= set(crowd.received)


async def test_reload_while_many_talk(start_site, tmp_path, server_command, pytestconfig):
    """SIGHUP to two workers behind nginx: HTTP sees no error, sockets end with 1012, return."""
    if "cppasgi" not in server_command[-1]:
        pytest.skip("only cppasgi replaces its workers")
    with ExitStack() as stack:
        redis, _ = stack.enter_context(redis_running(tmp_path))
        options = ["--workers", "2", "--graceful-timeout", "3"]
        more = {"REDIS_URL": f"redis://127.0.0.1:{redis}/0"}
        site = stack.enter_context(start_site(IDRISSIMART, *options, **more))
        port = free_port()
        stack.enter_context(nginx_running(tmp_path, everything_to([site.port], port), port))
        base = f"http://127.0.0.1:{port}"
        bob = Account(site, "bob")
        size = pytestconfig.getoption("--clients")
        crowd = Crowd(size, f"ws://127.0.0.1:{port}/ws/chat/ad/1/", base, bob)
        talking = asyncio.create_task(crowd.run())
        await crowd.all_here()
        answers, is_done = [], asyncio.Event()
        polling = asyncio.create_task(poll(f"{base}/api/health/", answers, is_done))
        site.process.send_signal(signal.SIGHUP)
        await wait_until(lambda: len(crowd.codes) >= size)
        await crowd.all_here()
        await crowd.all_got(await say(site, bob, "And now?"))
        is_done.set()
        await polling
        assert len(answers) > 5
        assert set(answers) == {200}
        assert set(crowd.codes) == {1012}
        crowd.is_leaving = True
        await talking


@pytest.mark.parametrize("name", ["cppasgi", "daphne"])
async def test_redred_start_script(name, server_command, environments, tmp_path):
    """V5's form for RED-RED: both scripts differ in one word; this server's is started."""
    scripts = [REDRED.folder / f"start_production_{one}.sh" for one in ("cppasgi", "daphne")]
    first, second = (script.read_text() for script in scripts)
    assert first.replace("exec cppasgi", "exec daphne") == second
    if server_command[-1] != name:
        pytest.skip("another server is under test")
    port = free_port()
    environment = {**environments(REDRED), "PORT": str(port)}
    script = f"./start_production_{name}.sh"
    with running(REDRED, [script], port, tmp_path / "log", environment) as site:
        assert site.health().status_code == 200
        assert request("GET", f"{site.base}/static/redred/app.js").status_code == 404  # nginx's


async def test_systemd_units(tmp_path):
    """I7: the units are well-formed, with their programs put where there are some."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    units = []
    for path in sorted(IDRISSIMART.folder.glob("*.service")):
        text = path.read_text()
        assert "TimeoutStopSec=15" in text
        assert "KillSignal=SIGTERM" in text
        assert "Restart=on-failure" in text
        unit = tmp_path / path.name
        unit.write_text(text.replace("/srv/idrissimart/.venv/bin/", "/usr/bin/env "))
        units.append(str(unit))
    assert len(units) == 3
    command = ["systemd-analyze", "verify", "--man=no", *units]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert not [line for line in result.stderr.splitlines() if str(tmp_path) in line]
