"""Fixtures of the black-box tests: server processes, of a test's own or shared, and connections."""

from __future__ import annotations

import itertools
import resource
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_process import ServerProcess
from wire import Wire

StartServer = Callable[..., ServerProcess]

_numbers = itertools.count()


def _starter(command: list[str], folder: Path, started: list[ServerProcess]) -> StartServer:
    def start(
        app: str = "apps.probe:app",
        *args: str,
        listen: bool = True,
        env: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
    ) -> ServerProcess:
        own = folder / f"server{next(_numbers)}"
        own.mkdir()
        if not any(a in args for a in ("-p", "-u", "-e", "--fd", "--port")):
            args = ("-p", "0", *args)
        process = ServerProcess(command, app, args, own, env, pass_fds)
        started.append(process)
        return process.wait_until_listening() if listen else process

    return start


@pytest.fixture
def server(server_command: list[str], tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers of this test's own: `server("apps.probe:app", "--root-path", "/x")`.

    They listen on a free port of 127.0.0.1 unless `args` say otherwise. `listen=False` returns
    without waiting for that.
    """
    started: list[ServerProcess] = []
    yield _starter(server_command, tmp_path, started)
    for process in started:
        process.kill()


@pytest.fixture(scope="session")
def _shared_probe(
    server_command: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], ServerProcess]]:
    started: list[ServerProcess] = []
    start = _starter(server_command, tmp_path_factory.mktemp("shared"), started)

    def get() -> ServerProcess:
        if not started or not started[-1].is_running():
            start()
        return started[-1]

    yield get
    for process in started:
        process.kill()


@pytest.fixture
def probe(_shared_probe: Callable[[], ServerProcess]) -> Iterator[ServerProcess]:
    """A server with apps/probe.py that tests share; it must outlive every one of them."""
    process = _shared_probe()
    yield process
    assert process.is_running(), f"the server ended: {process.log()[-3000:]}"


@pytest.fixture
def wire(probe: ServerProcess) -> Iterator[Wire]:
    """A connection to the shared server."""
    with probe.connect() as connection:
        yield connection


@pytest.fixture
def key() -> str:
    """A name for a report that no other test uses."""
    return uuid.uuid4().hex


@pytest.fixture
def enough_descriptors() -> Iterator[None]:
    """As many open files as this process may have at all, for crowds of clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
