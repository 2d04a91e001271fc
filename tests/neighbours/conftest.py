"""Packages that live on ASGI servers, fetched from PyPI on first use, and servers to run them on.

Kept in build/neighbours. Nothing of it is committed. Where nothing can be fetched the tests are
skipped, which pytest's summary tells.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ports import free_port

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "build" / "neighbours"
PACKAGES = [
    *("aiohttp", "channels>=4", "daphne>=4.2", "django>=5,<6", "django-eventstream", "httpx"),
    *("python-socketio", "reactpy-django", "starlette[full]", "uvicorn", "websockets"),
]
START_SECONDS = 30

Start = Callable[..., str]


def pip(*arguments: str | Path) -> None:
    """Runs pip; skips the test if it can't do what it should."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(f"can't be fetched: {' '.join(result.stderr.split()[-30:])}")


@pytest.fixture(scope="session")
def packages() -> Path:
    """A folder for PYTHONPATH that has all of them, and the servers to compare with."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    site = FOLDER / f"site-{sys.version_info.major}.{sys.version_info.minor}"
    if not site.exists():
        unfinished = FOLDER / f"{site.name}.new"
        pip("install", "-q", "--upgrade", "--target", unfinished, *PACKAGES)
        unfinished.rename(site)
    return site


@pytest.fixture(scope="session")
def environment(packages: Path) -> dict[str, str]:
    """Environment variables of processes that import them."""
    path = os.pathsep.join([str(packages), str(HERE / "sites"), str(HERE)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}


@pytest.fixture(scope="session")
def sources(packages: Path) -> Callable[[str], Path]:
    """A function: a package to the folder of its source distribution, which has its tests."""

    def unpacked(name: str) -> Path:
        info = next(packages.glob(f"{name.replace('-', '_')}-*.dist-info"))
        version = info.name.removesuffix(".dist-info").rpartition("-")[2]
        folder = FOLDER / f"{name}-{version}"
        if not folder.exists():
            pip(
                "download",
                "-q",
                "--no-deps",
                "--no-binary",
                name,
                f"{name}=={version}",
                "-d",
                FOLDER,
            )
            with tarfile.open(f"{folder}.tar.gz") as archive:
                archive.extraction_filter = getattr(tarfile, "data_filter", None)
                archive.extractall(FOLDER)
        return folder

    return unpacked


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts a server: `start("cppasgi", "socketio_site:app")` is its address."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(server: str, target: str, **more: str) -> str:
        port = free_port()
        host = ("--host", "127.0.0.1") if server == "uvicorn" else ("-b", "127.0.0.1")
        port_flag = "--port" if server == "uvicorn" else "-p"
        command = [sys.executable, "-m", server, *host, port_flag, str(port), target]
        with (tmp_path / f"{server}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=tmp_path, env={**environment, **more}, stdout=log, stderr=log
            )
        running.append(process)
        end = time.monotonic() + START_SECONDS
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return f"http://127.0.0.1:{port}"
            log_text = (tmp_path / f"{server}.log").read_text()
            assert process.poll() is None, f"{server} ended: {log_text}"
            assert time.monotonic() < end, f"{server} doesn't listen: {log_text}"
            time.sleep(0.05)

    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def told_by(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Runs a client of the folder clients; returns what it prints."""

    def run(client: str, *arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, HERE / "clients" / f"{client}.py", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        logs = "".join(log.read_text()[-3000:] for log in tmp_path.glob("*.log"))
        assert result.returncode == 0, result.stdout + result.stderr + logs
        return result.stdout

    return run
