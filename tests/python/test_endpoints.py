"""Endpoints: Twisted's grammar, several at once, Unix sockets' modes, socket activation."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import HERE
from wire import Wire

from cppasgi.serving.listeners import systemd_descriptor
from cppasgi.settings.endpoints import (
    DescriptorEndpoint,
    EndpointError,
    SystemdEndpoint,
    TcpEndpoint,
    UnixEndpoint,
    build_endpoint_description_strings,
    endpoint_descriptions,
    parse_endpoint,
)

# --- the grammar ---


@pytest.mark.parametrize(
    ("description", "endpoint"),
    [
        ("tcp:8000", TcpEndpoint(8000, "0.0.0.0")),
        ("tcp:port=8000:interface=127.0.0.1", TcpEndpoint(8000, "127.0.0.1")),
        ("tcp:8000:localhost:7", TcpEndpoint(8000, "localhost", 7)),
        (r"tcp:port=80:interface=\:\:1", TcpEndpoint(80, "::1")),
        ("tcp6:8000", TcpEndpoint(8000, "::")),
        ("TCP6:8000:50", TcpEndpoint(8000, "::", 50)),
        ("unix:/run/site.sock", UnixEndpoint("/run/site.sock")),
        ("unix:/run/site.sock:mode=660:lockfile=0", UnixEndpoint("/run/site.sock", 0o660)),
        ("unix:address=/run/a=b:backlog=9", UnixEndpoint("/run/a=b", backlog=9)),
        (r"unix:/run/a\:b\\c\=d", UnixEndpoint("/run/a:b\\c=d")),
        ("fd:3", DescriptorEndpoint(3)),
        ("fd:fileno=3:domain=UNIX", DescriptorEndpoint(3)),
        ("systemd:INET:index=0", SystemdEndpoint(place=0)),
        ("systemd:domain=UNIX:name=site", SystemdEndpoint(name="site")),
        ("systemd:name=site", SystemdEndpoint(name="site")),
        ("systemd:index=1", SystemdEndpoint(place=1)),
    ],
)
def test_descriptions_in_twisteds_grammar(description: str, endpoint: object) -> None:
    assert parse_endpoint(description) == endpoint


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("imap:", "Unknown endpoint type: 'imap'"),
        ("", "Unknown endpoint type: ''"),
        ("port=8000", "Unknown endpoint type: ''"),
        ("stdio:", "Unknown endpoint type: 'stdio'"),
        ("le:/certificates:tcp:443", "Unknown endpoint type: 'le'"),
        ("ssl:443", "ssl endpoints are not supported yet: they come with TLS"),
        ("tls:/certificates", "tls endpoints are not supported yet: they come with TLS"),
        ("haproxy:", "Unknown endpoint type: ''"),
        ("haproxy:tcp", "tcp endpoint without port"),
        ("haproxy:haproxy:tcp:80", "a haproxy endpoint is none of another"),
        ("haproxy:tcp\\:80", "Unknown endpoint type: 'tcp:80'"),
        ("haproxy:ssl:443", "ssl endpoints are not supported yet: they come with TLS"),
        ("tcp", "tcp endpoint without port"),
        ("tcp:http", "port 'http' is not a whole number"),
        ("tcp:65536", "port 65536 is out of range"),
        ("tcp:-1", "port -1 is out of range"),
        ("tcp:8000:backlog=many", "backlog 'many' is not a whole number"),
        (
            "tcp:8000:127.0.0.1:50:more",
            "more values than port, interface, backlog",
        ),
        ("tcp:8000:host=127.0.0.1", "tcp endpoints have no host, but port, interface, backlog"),
        ("tcp:8000:port=80", "port is given twice"),
        ("tcp:port=80:port=81", "port is given twice"),
        ("tcp:8000\\", "a backslash stands at the end"),
        ("unix:", "unix endpoint without an address"),
        ("unix:/a:mode=999", "mode '999' is not an octal number"),
        ("unix:/a:mode=7777", "mode 7777 is out of range"),
        ("systemd:INET", "Specify exactly one of descriptor index or name"),
        ("systemd:INET:index=0:name=a", "Specify exactly one of descriptor index or name"),
        ("systemd:BLUETOOTH:index=0", "domain 'BLUETOOTH' is none of INET, INET6, UNIX"),
        ("fd:three", "fileno 'three' is not a whole number"),
    ],
)
def test_wrong_descriptions_say_what_is_wrong(description: str, message: str) -> None:
    with pytest.raises(EndpointError) as raised:
        parse_endpoint(description)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_built_descriptions_are_read_back() -> None:
    built = build_endpoint_description_strings("[::1]", 80, "/a:b=c\\d", 3)
    assert built[0] == r"tcp:port=80:interface=\:\:1"
    assert [parse_endpoint(text) for text in built] == [
        TcpEndpoint(80, "::1"),
        UnixEndpoint("/a:b=c\\d"),
        DescriptorEndpoint(3),
    ]


@pytest.mark.parametrize(
    ("given", "descriptions"),
    [
        ({}, ["tcp:port=8000:interface=127.0.0.1"]),
        ({"host": "10.0.0.1"}, ["tcp:port=8000:interface=10.0.0.1"]),
        ({"port": 0}, ["tcp:port=0:interface=127.0.0.1"]),
        ({"unix_socket": "/a"}, ["unix:/a"]),
        ({"file_descriptor": 0}, ["fd:fileno=0"]),
        ({"endpoints": ["tcp:9"]}, ["tcp:9"]),
        (
            {"port": 9, "unix_socket": "/a", "file_descriptor": 3, "endpoints": ["unix:/b", "a"]},
            ["a", "fd:fileno=3", "tcp:port=9:interface=127.0.0.1", "unix:/a", "unix:/b"],
        ),
    ],
)
def test_defaults_and_order_are_daphnes(given: dict, descriptions: list[str]) -> None:
    assert endpoint_descriptions(**given) == descriptions


# --- the command ---


def test_several_endpoints_are_sorted_logged_and_served(
    server: StartServer, tmp_path: Path
) -> None:
    path = tmp_path / "a:b.sock"
    escaped = str(path).replace(":", "\\:")
    with socket.socket(socket.AF_UNIX) as inherited:
        inherited.bind(str(tmp_path / "inherited.sock"))
        fd = inherited.fileno()
        process = server(
            "apps.probe:app",
            *("-e", f"unix:{escaped}:mode=600", "--fd", str(fd)),
            *("-e", "tcp:0:interface=127.0.0.1:backlog=5", "--endpoint", "tcp:port=0"),
            pass_fds=(fd,),
        )
        descriptions = [
            f"fd:fileno={fd}",
            "tcp:0:interface=127.0.0.1:backlog=5",
            "tcp:port=0",
            f"unix:{escaped}:mode=600",
        ]
        process.wait_for_log(f"Listening on Unix socket {path}")
        log = process.log()
        assert f"INFO     Starting server at {', '.join(descriptions)}\n" in log
        configured = [line.split(" endpoint ")[1] for line in log.splitlines() if "Config" in line]
        assert configured == descriptions
        first = process.wait_for_log(r"Listening on TCP address 127\.0\.0\.1:(\d+)")[1]
        any_address = process.wait_for_log(r"Listening on TCP address 0\.0\.0\.0:(\d+)")[1]
        for address in (
            str(tmp_path / "inherited.sock"),
            str(path),
            ("127.0.0.1", int(first)),
            ("127.0.0.1", int(any_address)),
        ):
            with Wire.open(address) as wire:
                assert wire.get("/").body == b"hello"
        assert backlog(int(first)) == 5
        assert path.stat().st_mode & 0o777 == 0o600
        assert process.stop() == 0
        assert not path.exists()
        assert (tmp_path / "inherited.sock").exists()


def backlog(port: int) -> int:
    """The length of the accept queue: what ss(8) shows as Send-Q of a listening socket."""
    line = subprocess.run(
        ["ss", "-Hltn", f"sport = :{port}"], capture_output=True, text=True, check=True
    ).stdout
    return int(line.split()[2])


def test_names_are_ipv4_first_as_with_daphne(server: StartServer) -> None:
    process = server("apps.probe:app", "-e", "tcp:0:interface=localhost")
    assert process.host == "127.0.0.1"


def test_tcp6_takes_ipv4_too(server: StartServer) -> None:
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    process = server("apps.probe:app", "-e", "tcp6:0")
    assert process.host == "::"
    for host in ("::1", "127.0.0.1"):
        with Wire.open((host, process.port)) as wire:
            assert wire.get("/").body == b"hello"


def test_sockets_of_systemd(server_command: list[str], tmp_path: Path) -> None:
    # What systemd does: the sockets are descriptors 3 and 4, LISTEN_PID is the process.
    paths = [str(tmp_path / "0.sock"), str(tmp_path / "1.sock")]
    start = (
        "import os, socket, sys\n"
        "sockets = [socket.socket(socket.AF_UNIX) for _ in range(2)]\n"
        "for number, (listener, path) in enumerate(zip(sockets, sys.argv[1:3])):\n"
        "    listener.bind(path); listener.listen()\n"
        "copies = [os.dup(listener.fileno()) for listener in sockets]\n"
        "for number, copy in enumerate(copies):\n"
        "    os.dup2(copy, 3 + number)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='a:b')\n"
        "os.execvp(sys.argv[3], sys.argv[3:])\n"
    )
    arguments = ("-e", "systemd:UNIX:index=0", "-e", "systemd:name=b")
    with subprocess.Popen(
        [sys.executable, "-c", start, *paths, *server_command, *arguments, "apps.probe:app"],
        cwd=HERE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        lines = []
        while not lines or f"Listening on Unix socket {paths[1]}" not in lines[-1]:
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        for path in paths:
            with Wire.open(path) as wire:
                assert wire.get("/").body == b"hello"
        process.terminate()
        assert process.wait(15) == 0
    assert all(Path(path).exists() for path in paths)


def test_systemd_passes_sockets_to_one_process_only() -> None:
    environ = {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}
    assert systemd_descriptor(SystemdEndpoint(place=1), environ, 7) == 4
    assert systemd_descriptor(SystemdEndpoint(name="a"), environ, 7) == 3
    for endpoint, pid in (
        (SystemdEndpoint(place=2), 7),
        (SystemdEndpoint(name="c"), 7),
        (SystemdEndpoint(place=0), 8),
    ):
        with pytest.raises(OSError, match="systemd passed"):
            systemd_descriptor(endpoint, environ, pid)


@pytest.mark.parametrize(
    ("description", "status", "message"),
    [
        ("imap:", 2, "cppasgi: error: Unknown endpoint type: 'imap' (in 'imap:')"),
        ("ssl:443", 2, "cppasgi: error: ssl endpoints are not supported yet: they come with TLS"),
        ("tls:/x", 2, "cppasgi: error: tls endpoints are not supported yet: they come with TLS"),
        ("tcp:http", 2, "cppasgi: error: port 'http' is not a whole number (in 'tcp:http')"),
        (
            "systemd:INET:index=0",
            1,
            "cppasgi: Listen failure: Couldn't listen on systemd socket 0: "
            "systemd passed no sockets to this process.",
        ),
    ],
)
def test_bad_endpoint_is_one_line(
    server_command: list[str], description: str, status: int, message: str
) -> None:
    result = subprocess.run(
        [*server_command, "-e", description, "apps.probe:app"],
        cwd=HERE,
        env={name: value for name, value in os.environ.items() if name != "LISTEN_PID"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == status
    lines = [line for line in result.stderr.splitlines() if " INFO " not in line]
    assert len(lines) == 1
    assert lines[0].startswith(message)
