"""A PostgreSQL cluster and a Redis of these tests' own, in a temporary folder, on Unix sockets."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis as redis_client

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _postgres_program(name: str) -> str:
    """Debian keeps the server's programs out of PATH, below the version's number."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: float(p.parts[4])
    )
    program = shutil.which(name) or (str(found[-1]) if found else None)
    assert program, f"no {name}: scripts/install-deps --test installs PostgreSQL"
    return program


@contextmanager
def postgres() -> Iterator[str]:
    """Starts a cluster; yields the folder of its socket, the HOST of Django's settings.

    PostgreSQL refuses to run as root, who therefore runs it as the user of Debian's package.
    """
    folder = Path(tempfile.mkdtemp(prefix="moments-"))
    user = None
    if os.geteuid() == 0:
        user = "postgres"
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    data = folder / "data"
    subprocess.run(
        [_postgres_program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
        user=user,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "max_connections": "60",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                _postgres_program("postgres"),
                "-D",
                data,
                *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
            ],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_parent,
        )
    try:
        with _connected(str(folder)) as connection:
            connection.execute("CREATE TABLE presence (key text PRIMARY KEY, present int)")
        yield str(folder)
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nobody needs what is in it
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _connected(host: str) -> psycopg.Connection:
    end = time.monotonic() + 20
    while True:
        try:
            return psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise AssertionError((Path(host) / "log").read_text()) from None
            time.sleep(0.05)


class Database:
    """What the tests ask the database themselves."""

    def __init__(self, host: str) -> None:
        self._connection = _connected(host)

    def close(self) -> None:
        self._connection.close()

    def connections(self) -> int:
        """How many the servers have open."""
        return self._one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'moments'")

    def present(self, key: str) -> int:
        """What the counter of presence says of a cell."""
        return self._one("SELECT coalesce(sum(present), 0) FROM presence WHERE key LIKE %s", key)

    def _one(self, query: str, *values: str) -> int:
        row = self._connection.execute(query, values or None).fetchone()
        assert row is not None
        return int(row[0])


def group_size(url: str, group: str) -> int:
    """How many members a group of channels_redis has."""
    with redis_client.Redis.from_url(url) as client:
        return int(client.zcard(f"asgi:group:{group}"))


class Redis:
    """A Redis that can be stopped and started again; it keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "socket"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def start(self) -> None:
        program = shutil.which("redis-server")
        assert program, "no redis-server: scripts/install-deps --test installs it"
        self._path.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                program,
                "--port",
                "0",
                "--unixsocket",
                self._path,
                "--save",
                "",
                "--appendonly",
                "no",
            ],
            cwd=self._path.parent,
            stdout=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        )
        end = time.monotonic() + 10
        while not self._path.exists():
            assert time.monotonic() < end, "Redis didn't start"
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


@contextmanager
def redis() -> Iterator[Redis]:
    """Starts Redis, and stops it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="moments-"))
    server = Redis(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
