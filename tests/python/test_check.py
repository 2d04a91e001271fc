"""``--check``: problems are status 1, warnings status 0; the application and its settings."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import StartServer
from ports import free_port
from server_process import HERE


@pytest.fixture
def check(server_command: list[str]):
    """Runs --check; returns its status and its lines."""

    def run(*args: str, settings: dict | None = None) -> tuple[int, list[str]]:
        if not {"-p", "-u", "-e"} & set(args):
            args = ("-p", "0", *args)
        result = subprocess.run(
            [*server_command, "--check", *args],
            cwd=HERE,
            env={**os.environ, "SITE_SETTINGS": json.dumps(settings or {})},
            capture_output=True,
            text=True,
            timeout=50,
        )
        assert "Traceback" not in result.stderr
        return result.returncode, result.stderr.splitlines()

    return run


def layer(port: int, name: str = "127.0.0.1") -> dict:
    host = f"redis://{name}:{port}/0"
    backend = "channels_redis.core.RedisChannelLayer"
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": [host]}}}


def answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def redis(folder: Path, *more: str) -> Iterator[int]:
    """A Redis of the test's own; gives its port."""
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    arguments += more
    with subprocess.Popen(["redis-server", *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 20
            while not answers(port):
                assert time.monotonic() < end
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()


def test_no_problem(check, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    status, lines = check("-p", "0", "--access-log", str(log), "apps.probe:app")
    assert (status, lines) == (0, ["cppasgi: the check of apps.probe:app passed"])
    assert not log.exists()


def test_every_problem_is_a_line(check, tmp_path: Path) -> None:
    status, lines = check(
        *("-e", "ssl:443", "-u", str(tmp_path / "missing" / "site.sock")),
        *("--access-log", str(tmp_path), "no_such_module:app"),
    )
    assert status == 1
    assert [line.removeprefix("cppasgi: problem: ").split(":")[0] for line in lines] == [
        'Could not import module "no_such_module"',
        "ssl endpoints are not supported yet",
        f"Couldn't listen on {tmp_path}/missing/site.sock",
        f"The access log {tmp_path} can't be written",
        "cppasgi",
    ]
    assert lines[-1] == "cppasgi: the check of no_such_module:app failed"


def test_a_wrong_flag_is_status_2(check) -> None:
    status, lines = check("-p", "http", "apps.probe:app")
    assert status == 2
    assert len(lines) == 1


def test_asgi_application_is_missing(check) -> None:
    status, lines = check("apps.checked_site:app")
    assert status == 0
    assert "cppasgi: warning: The setting ASGI_APPLICATION is missing" in lines[0]


IN_MEMORY = {
    "ASGI_APPLICATION": "a.b",
    "CHANNEL_LAYERS": {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
}


def test_layer_in_memory_is_a_problem_with_several_workers(check) -> None:
    status, lines = check("--workers", "2", "apps.checked_site:app", settings=IN_MEMORY)
    assert status == 1
    assert lines[0].startswith('cppasgi: problem: The channel layer "default" is in memory')


def test_several_workers_warn_of_a_layer_in_memory(server: StartServer) -> None:
    env = {"SITE_SETTINGS": json.dumps(IN_MEMORY)}
    process = server("apps.checked_site:app", "--workers", "2", env=env)
    warning = 'The channel layer "default" is in memory: workers don\'t share it'
    assert process.log().count(warning) == 1


def test_layer_in_memory_is_a_warning(check) -> None:
    status, lines = check("apps.checked_site:app", settings=IN_MEMORY)
    assert status == 0
    assert lines[0] == (
        'cppasgi: warning: The channel layer "default" is in memory and reaches this process only'
    )


def test_layer_that_answers(check, tmp_path: Path) -> None:
    with redis(tmp_path) as port:
        settings = {"ASGI_APPLICATION": "a.b", "CHANNEL_LAYERS": layer(port)}
        status, lines = check("apps.checked_site:app", settings=settings)
    assert (status, len(lines)) == (0, 1), lines


def test_layer_whose_server_is_down_is_a_warning(check) -> None:
    """It may be up again when it is needed; a start doesn't ask it either."""
    with socket.socket() as mute, socket.socket() as closed:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        closed.bind(("127.0.0.1", 0))
        layers = {
            "default": layer(closed.getsockname()[1])["default"],
            "mute": layer(mute.getsockname()[1])["default"],
            "nowhere": layer(6379, "no-such-host.invalid")["default"],
        }
        settings = {"ASGI_APPLICATION": "a.b", "CHANNEL_LAYERS": layers}
        status, lines = check("apps.checked_site:app", settings=settings)
    assert status == 0
    for name, line in zip(layers, lines, strict=False):
        assert line.startswith(f'cppasgi: warning: The channel layer "{name}" doesn\'t work: ')
    assert len(lines) == 4, lines


def test_layer_that_is_wrong_is_a_problem(check, tmp_path: Path) -> None:
    with redis(tmp_path, "--requirepass", "secret") as port:
        layers = {
            "default": {"BACKEND": "no.such.Layer"},
            "misspelt": {**layer(port)["default"], "CONFIG": {"host": []}},
            "secret": layer(port)["default"],
        }
        settings = {"ASGI_APPLICATION": "a.b", "CHANNEL_LAYERS": layers}
        status, lines = check("apps.checked_site:app", settings=settings)
    assert status == 1
    for name, line in zip(layers, lines, strict=False):
        assert line.startswith(f'cppasgi: problem: The channel layer "{name}" doesn\'t work: ')
    assert len(lines) == 4, lines
