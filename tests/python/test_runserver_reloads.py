"""`manage.py runserver`, whose files change while clients are in the middle of things.

TEST_RELOADS is how often (3), TEST_RELOAD_SECONDS what each may take from the end of the old server
until the new one serves (15, since a start alone takes that long on a busy machine).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from ports import free_port
from runserver_project import PROLOGUE, start_runserver
from wire import TEXT, Wire

pytestmark = [pytest.mark.python_side, pytest.mark.timeout(600)]

RELOADS = int(os.environ.get("TEST_RELOADS", "3"))
SECONDS = float(os.environ.get("TEST_RELOAD_SECONDS", "15"))
NOTICED = 10  # seconds within which Django sees that a file has changed; it looks every second

SITE = f"""
import asyncio, time
{PROLOGUE}"""
SITE += """
class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data)

async def events(request):
    async def generate():
        while True:
            yield b"data: x\\n\\n"
            await asyncio.sleep(0.01)
    return StreamingHttpResponse(generate(), content_type="text/event-stream")

async def download(request):  # its client reads the begin only
    async def generate():
        while True:
            yield b"x" * 100_000
    return StreamingHttpResponse(generate())

async def blocking(request):
    async def generate():
        while True:
            yield b"x" * 1000
            time.sleep(0.01)
            await asyncio.sleep(0.01)
    return StreamingHttpResponse(generate())

urlpatterns = [
    path("version", lambda request: HttpResponse(VERSION)),
    path("events", events), path("download", download), path("blocking", blocking),
]
application = ProtocolTypeRouter({
    "http": get_asgi_application(), "websocket": URLRouter([path("echo", Echo.as_asgi())]),
})
"""


def write(folder: Path, version: int) -> None:
    (folder / "site_.py").write_text(SITE + f"VERSION = {str(version)!r}\n")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where the site of `tmp_path` is served in version 0."""
    port = free_port()
    write(tmp_path, 0)
    # To Python a file of the same size and second is the same, and its old code is cached.
    process = start_runserver(tmp_path, port, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    log = tmp_path / "log"
    try:
        wait_for_version(port, 0, 60)
        yield port
        assert process.poll() is None, log.read_text()
        assert "terminate called" not in log.read_text()
    finally:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.terminate()
        process.wait(10)
        for child in children:  # it has its own process, which serves
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)


def wait_for_version(port: int, version: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            url = f"http://127.0.0.1:{port}/version"
            if httpx.get(url, verify=False, trust_env=False).text == str(version):
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, f"version {version} isn't served"
        time.sleep(0.02)


def test_every_reload_serves_again(port: int, tmp_path: Path) -> None:
    took = []
    for version in range(1, RELOADS + 1):
        with ExitStack() as stack:
            wires = [stack.enter_context(Wire.open(("127.0.0.1", port))) for _ in range(4)]
            for wire, target in zip(wires, ("/events", "/download", "/blocking"), strict=False):
                wire.request(target)
                assert wire.head().status == 200
                wire.chunk()
            wires[3].upgraded("/echo").send_frame(TEXT, "hello")
            assert wires[3].read_frame() == (TEXT, b"hello")
            write(tmp_path, version)
            wires[0].sock.settimeout(NOTICED)
            with suppress(EOFError, ConnectionError):
                while wires[0].read(1000):
                    # A change before Django's first look at the file would never be noticed.
                    (tmp_path / "site_.py").touch()
            begun = time.monotonic()
            wait_for_version(port, version, SECONDS)
            took.append(time.monotonic() - begun)
    print(f"{RELOADS} reloads, {max(took):.1f} s at most until the next version was served")
