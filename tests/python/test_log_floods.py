"""Clients can't fill the server log: lines that say the same are few, and the rest is counted."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until

CLIENTS = 2000
CONFIG = {
    "version": 1,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
LEFT_OUT = re.compile(r"([\w ]+): (\d+) more lines? like this (?:was|were) left out in the last")


def say(process: ServerProcess, number: int, text: bytes) -> None:
    """One connection from one of many addresses, up to the server's answer or end."""
    with socket.socket() as client:
        client.bind((f"127.0.0.{2 + number % 200}", 0))
        client.settimeout(20)
        client.connect((process.host, process.port))
        client.sendall(text)
        client.recv(1)


def messages(process: ServerProcess) -> list[str]:
    lines = process.log().splitlines()
    return [json.loads(line)["message"] if line.startswith("{") else line for line in lines]


def told(process: ServerProcess) -> dict[str, int]:
    """How many lines were left out, by their text."""
    counts: dict[str, int] = {}
    for message in messages(process):
        if found := LEFT_OUT.search(message):
            text = re.sub(r".* (WARNING|ERROR) +", "", found[1]).strip()
            counts[text] = counts.get(text, 0) + int(found[2])
    return counts


@pytest.mark.parametrize("logging", ["daphne's", "json", "config"])
def test_what_many_clients_do_wrong_alike_is_told_in_few_lines(
    server: StartServer, tmp_path: Path, logging: str
) -> None:
    config = tmp_path / "logging.json"
    config.write_text(json.dumps(CONFIG))
    flags = {"daphne's": (), "json": ("--log-fmt", "json"), "config": ("--log-config", str(config))}
    process = server("apps.probe:app", *flags[logging], listen=False)
    found = process.wait_for_log(r"address 127.0.0.1:(\d+)")
    process.host, process.port = "127.0.0.1", int(found[1])
    for number in range(CLIENTS):
        say(process, number, b"\x16\x03")
        if number == CLIENTS // 2:
            say(process, number, b"GET / HTTP/3.0\r\n\r\n")
    assert process.stop() == 0
    written = [line for line in messages(process) if line.endswith(": malformed request line")]
    assert 1 <= len(written) <= 30
    assert told(process) == {"malformed request line": CLIENTS - len(written)}
    assert sum("HTTP version not supported" in line for line in messages(process)) == 1


def test_what_was_left_out_is_told_when_the_flood_is_over(server: StartServer) -> None:
    process = server("apps.probe:app")
    for number in range(100):
        say(process, number, b"\x16\x03")
    wait_until(lambda: told(process), 20)
    written = sum(line.endswith(": malformed request line") for line in messages(process))
    assert told(process) == {"malformed request line": 100 - written}


def ask(process: ServerProcess, *targets: str) -> None:
    """Requests on one connection."""
    with process.connect() as wire:
        for target in targets:
            wire.get(target)


@pytest.mark.parametrize("logging", ["daphne's", "config"])
def test_an_exception_that_comes_again_and_again_is_counted(
    server: StartServer, tmp_path: Path, logging: str
) -> None:
    config = tmp_path / "logging.json"
    config.write_text(json.dumps(CONFIG))
    flags = ("--log-config", str(config)) if logging == "config" else ()
    process = server("apps.failures:app", *flags, listen=False)
    found = process.wait_for_log(r"address 127.0.0.1:(\d+)")
    process.host, process.port = "127.0.0.1", int(found[1])
    for number in range(50):
        ask(process, "/same")
        if number == 40:
            ask(process, "/each/other")
    assert process.stop() == 0
    assert process.log().count('LookupError("always the same")') == 10
    assert process.log().count("LookupError: other") == 1
    assert told(process) == {"always the same": 40}


def test_every_text_of_an_exception_is_written_but_not_every_traceback(
    server: StartServer,
) -> None:
    process = server("apps.failures:app")
    for number in range(50):
        ask(process, f"/each/{number}.")
    assert process.stop() == 0
    lines = [line for line in messages(process) if "Exception inside application: " in line]
    assert len(lines) == 50
    assert process.log().count("Traceback (most recent call last)") == 10
    assert lines[-1].endswith(": 49. (LookupError; a traceback like it was written)")
    assert not told(process)


def test_a_group_is_told_from_another_by_its_members(server: StartServer) -> None:
    process = server("apps.failures:app")
    for number in range(15):
        ask(process, f"/group/{number}")
    assert process.stop() == 0
    assert process.log().count("Exception inside application: unhandled errors") == 15
    assert not told(process)


def test_callbacks_of_the_loop_that_fail_alike_are_counted(server: StartServer) -> None:
    process = server("apps.failures:app")
    for _ in range(30):
        ask(process, "/callback")
    process.wait_for_log("more lines like this were left out", 20)
    assert process.log().count("Exception in callback fail()") == 11
    assert process.log().count("Traceback (most recent call last)") == 10
