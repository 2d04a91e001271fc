"""Unix sockets: who may connect, from the first moment on, and whose files are left alone."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import HERE
from wire import Wire

from cppasgi.command.options import OptionParser
from cppasgi.serving.unix_sockets import bind_unix, default_mode
from cppasgi.settings.endpoints import (
    EndpointError,
    UnixEndpoint,
    endpoint_descriptions,
    parse_endpoint,
)


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path: Path) -> int:
    status = path.stat()
    assert stat.S_ISSOCK(status.st_mode)
    return stat.S_IMODE(status.st_mode)


# --- permissions ---


@pytest.mark.parametrize(
    ("mask", "mode"),
    [
        (0o000, 0o666),
        (0o022, 0o666),
        (0o002, 0o666),
        (0o007, 0o660),
        (0o027, 0o660),
        (0o077, 0o600),
        (0o777, 0o600),
        (0o070, 0o606),
    ],
)
def test_default_is_daphnes_for_whom_the_umask_lets_read(
    mask: int, mode: int, tmp_path: Path
) -> None:
    assert default_mode(mask) == mode
    path = tmp_path / "site.sock"
    with umask(mask):
        bound, _ = bind_unix(UnixEndpoint(str(path)))
        bound.close()
        assert os.umask(mask) == mask  # it is as it was
    assert mode_of(path) == mode


@pytest.mark.parametrize("workers", ["1", "2"])
def test_umask_of_a_service(server: StartServer, workers: str, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    with umask(0o007):
        process = server("apps.probe:app", "-u", str(path), "--workers", workers)
    assert mode_of(path) == 0o660
    assert process.get("/").text == "hello"


def test_mode_is_for_every_unix_socket_without_its_own(server: StartServer, tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{number}.sock" for number in range(3))
    with umask(0o077):
        process = server(
            "apps.probe:app",
            *("-u", str(first), "-e", f"unix:{second}", "-e", f"unix:{third}:mode=606"),
            env={"CPPASGI_UNIX_SOCKET_MODE": "660"},
        )
    process.wait_for_log(f"Listening on Unix socket {third}")
    assert [mode_of(path) for path in (first, second, third)] == [0o660, 0o660, 0o606]


def test_mode_without_any_unix_socket_is_refused() -> None:
    with pytest.raises(EndpointError, match="--unix-socket-mode is for Unix sockets, and there is"):
        endpoint_descriptions(port=0, unix_socket_mode=0o660)
    with pytest.raises(EndpointError, match="Unknown endpoint type: 'imap'"):
        endpoint_descriptions(endpoints=["imap:"], unix_socket_mode=0o660)
    given = ["unix:/a:mode=600", r"unix:/b\:c:660", "unix:/d:backlog=7", "tcp:0"]
    assert [
        endpoint.mode
        for text in endpoint_descriptions(endpoints=given, unix_socket_mode=0o606)
        if isinstance(endpoint := parse_endpoint(text), UnixEndpoint)
    ] == [0o600, 0o660, 0o606]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_no_moment_with_wider_permissions(mode: int, mask: int, tmp_path: Path) -> None:
    """Another thread looks all the time."""
    path = tmp_path / "site.sock"
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            with contextlib.suppress(FileNotFoundError):
                seen.add(mode_of(path))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        with umask(mask):
            for _ in range(300):
                bound, file = bind_unix(UnixEndpoint(str(path), mode))
                bound.close()
                file.remove()
    finally:
        done.set()
        watcher.join()
    assert seen <= {mode}


# --- the metrics' socket ---


@pytest.mark.python_side
@pytest.mark.parametrize(("suffix", "mode"), [("", 0o600), (":mode=660", 0o660)])
def test_permissions_of_the_metrics_socket(
    server: StartServer, suffix: str, mode: int, server_command: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "metrics.sock"
    env = {"CPPASGI_METRICS": f"unix:{path}{suffix}"}
    with umask(0o022):
        server("apps.probe:app", env=env)
    assert mode_of(path) == mode
    status = subprocess.run(
        [*server_command, "status"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (status.returncode, status.stderr) == (0, "")


@pytest.mark.parametrize("mode", ["", "999", "66", "rw"])
def test_wrong_permissions_of_the_metrics_socket(
    mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        OptionParser("").parse_args(["--metrics", f"unix:/m.sock:mode={mode}", "a:b"])
    assert "are no permissions, such as 660" in capsys.readouterr().err


# --- what is at the path already ---


def refusal(path: Path) -> str:
    """Why a server doesn't start there; what is there must stay."""
    before = path.lstat()
    with pytest.raises(OSError) as raised:  # noqa: PT011
        bind_unix(UnixEndpoint(str(path)))
    assert path.lstat() == before or path.lstat().st_ino == before.st_ino
    return str(raised.value)


@pytest.mark.parametrize("kind", ["stream", "not listening", "datagram", "seqpacket"])
def test_socket_of_a_living_process_stays(kind: str, tmp_path: Path) -> None:
    """One that doesn't listen yet is a server's that is starting."""
    path = tmp_path / "site.sock"
    kinds = {"datagram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
    with socket.socket(socket.AF_UNIX, kinds.get(kind, socket.SOCK_STREAM)) as other:
        other.bind(str(path))
        if kind == "stream":
            other.listen(0)
        assert "Address already in use" in refusal(path)


def test_a_server_with_a_full_queue_is_not_disturbed(tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        other.setblocking(False)
        assert "Address already in use" in refusal(path)
        with pytest.raises(BlockingIOError):
            other.accept()  # nobody has connected


@pytest.mark.parametrize("target", ["socket", "file", "nothing"])
def test_symbolic_link_stays_and_so_does_what_it_names(target: str, tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    if target == "socket":
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(aim))
    elif target == "file":
        aim.write_text("precious")
    path = tmp_path / "site.sock"
    path.symlink_to(aim)
    assert "is not a socket" in refusal(path)
    assert aim.exists() is (target != "nothing")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_stale_socket_of_another_user_stays(tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    os.chown(path, 65534, 65534)
    assert "is not a socket of ours" in refusal(path)
    os.chown(path, os.geteuid(), -1)
    bound, _ = bind_unix(UnixEndpoint(str(path)))
    bound.close()


def test_two_servers_that_find_a_stale_socket_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quicker one has put its own there by the time that the other would remove the stale."""
    path = tmp_path / "site.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    quicker = socket.socket(socket.AF_UNIX)
    connect_ex = socket.socket.connect_ex

    def overtaken(probe: socket.socket, address: str) -> int:
        error = connect_ex(probe, address)
        path.unlink()
        quicker.bind(str(path))
        return error

    monkeypatch.setattr(socket.socket, "connect_ex", overtaken)
    with pytest.raises(OSError, match="Address already in use"):
        bind_unix(UnixEndpoint(str(path)))
    monkeypatch.undo()
    quicker.listen()
    with quicker, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert [*tmp_path.iterdir()] == [path]


def test_what_has_taken_the_place_of_our_socket_stays(server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    process = server("apps.probe:app", "-u", str(path))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        assert process.stop() == 0
        assert path.exists()


def test_second_server_leaves_the_first_of_several_workers_alone(
    server: StartServer, server_command: list[str], tmp_path: Path
) -> None:
    """Its sockets are bound before its workers listen."""
    path = tmp_path / "site.sock"
    first = server("apps.probe:app", "-u", str(path), "--workers", "2", listen=False)
    first.wait_for_log("Starting server at")
    second = subprocess.run(
        [*server_command, "-u", str(path), "apps.probe:app"],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 1
    assert "Address already in use" in second.stderr
    first.wait_until_listening()
    with Wire.open(str(path)) as wire:
        assert wire.get("/").body == b"hello"
