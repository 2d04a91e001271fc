"""``-e haproxy:...`` on Daphne and here: the same preambles give the same scopes."""

from __future__ import annotations

import ast
import os
import socket
import struct
import sys
from pathlib import Path

import pytest
from ports import free_port
from server_process import ServerProcess
from waiting import wait_until
from wire import Wire

APPS = Path(__file__).resolve().parents[1] / "python"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
VERSION_2 = (
    SIGNATURE
    + struct.pack("!BBH", 0x21, 0x11, 12)
    + socket.inet_aton("203.0.113.5")
    + socket.inet_aton("198.51.100.1")
    + struct.pack("!HH", 41000, 443)
)
PREAMBLES = {
    "version 1, IPv4": b"PROXY TCP4 203.0.113.5 198.51.100.1 41000 443\r\n",
    "version 1, IPv6": b"PROXY TCP6 2001:db8::5 2001:db8::1 41000 443\r\n",
    "version 2, IPv4": VERSION_2,
    "none": b"",
    "wrong": b"PROXY TCP9 a b c d\r\n",
}


@pytest.mark.parametrize("name", PREAMBLES)
def test_same_scope(
    server_command: list[str], daphne_site: Path, tmp_path: Path, name: str
) -> None:
    seen = []
    environment = {"PYTHONPATH": os.pathsep.join(map(str, (APPS, daphne_site)))}
    for kind, command in (
        ("daphne", [sys.executable, "-m", "daphne"]),
        ("cppasgi", server_command),
    ):
        port, folder = free_port(), tmp_path / kind
        folder.mkdir()
        args = ("-e", f"haproxy:tcp:{port}:interface=127.0.0.1")
        process = ServerProcess(command, "apps.forwarded:app", args, folder, environment)
        try:
            wait_until(lambda port=port: _listens(port), 30)
            with Wire.open(("127.0.0.1", port)) as wire:
                wire.send(PREAMBLES[name] + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                if name in ("none", "wrong"):
                    assert wire.is_closed()
                else:
                    client, scheme = ast.literal_eval(wire.response().body.decode())
                    seen.append((*client, scheme))  # Daphne's addresses are lists
        finally:
            process.kill()
    if name not in ("none", "wrong"):
        assert seen[0] == seen[1]
        assert seen[0][1] == 41000


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
