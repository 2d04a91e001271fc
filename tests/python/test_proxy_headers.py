"""``--proxy-headers``: what a reverse proxy says of its client, believed only when asked to."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import httpx
import pytest
from conftest import StartServer
from server_process import ServerProcess
from waiting import wait_until
from websockets.sync.client import connect

FORWARDED = {
    "X-Forwarded-For": "192.0.2.7, 10.0.0.9",
    "X-Forwarded-Port": "5123",
    "X-Forwarded-Proto": "https",
}
APP = "apps.forwarded:app"


def seen(server: ServerProcess, headers: dict[str, str]) -> tuple[object, str]:
    answer = httpx.get(f"http://127.0.0.1:{server.port}/", headers=headers)
    assert answer.status_code == 200
    client, scheme = ast.literal_eval(answer.text)
    return client, scheme


def test_fields_become_client_and_scheme(server: StartServer) -> None:
    process = server(APP, "--proxy-headers")
    assert seen(process, FORWARDED) == (("10.0.0.9", 5123), "https")
    assert seen(process, {"X-Forwarded-For": "192.0.2.8"}) == (("192.0.2.8", 0), "http")
    wait_until(lambda: "10.0.0.9:5123 - - " in process.access_log())


def test_everybody_is_believed_as_with_daphne(server: StartServer) -> None:
    process = server(APP, "--proxy-headers", "--forwarded-allow-ips", "*")
    assert seen(process, FORWARDED) == (("192.0.2.7", 5123), "https")


def test_addresses_of_trusted_proxies_are_passed_over(server: StartServer) -> None:
    process = server(APP, "--proxy-headers", "--forwarded-allow-ips", "127.0.0.1,10.0.0.0/8")
    assert seen(process, FORWARDED) == (("192.0.2.7", 5123), "https")
    more = {"X-Forwarded-For": f"203.0.113.1, {FORWARDED['X-Forwarded-For']}"}
    assert seen(process, more) == (("192.0.2.7", 0), "http")


def test_others_are_not_believed_which_the_log_says_once(server: StartServer) -> None:
    process = server(APP, "--proxy-headers", "--forwarded-allow-ips", "10.0.0.0/8,unix")
    for _ in range(2):
        client, scheme = seen(process, FORWARDED)
        assert isinstance(client, tuple)
        assert client[0] == "127.0.0.1"
        assert scheme == "http"
    text = "names a client, but is no trusted proxy: such fields are ignored"
    process.wait_for_log(text)
    assert process.log().count(text) == 1


def test_a_unix_socket_is_a_trusted_proxys(server: StartServer, tmp_path: Path) -> None:
    process = server(APP, "--proxy-headers", "-u", str(tmp_path / "site.sock"))
    with httpx.Client(transport=httpx.HTTPTransport(uds=process.path)) as client:
        answer = client.get("http://localhost/", headers=FORWARDED)
    assert ast.literal_eval(answer.text) == (("10.0.0.9", 5123), "https")


def test_forwarded(server: StartServer) -> None:
    process = server(APP, "--proxy-headers", "--proxy-headers-host", "Forwarded")
    field = 'for=203.0.113.1;proto=http, for="[2001:db8::7]:4711";proto=https'
    assert seen(process, {"Forwarded": field}) == (("2001:db8::7", 4711), "https")
    assert seen(process, {**FORWARDED, "Forwarded": "for=192.0.2.3"}) == (("192.0.2.3", 0), "http")


def test_a_clients_own_forwarded_does_not_stand_in_for_the_proxys_field(
    server: StartServer,
) -> None:
    client, scheme = seen(server(APP, "--proxy-headers"), {"Forwarded": "for=192.0.2.3;proto=wss"})
    assert isinstance(client, tuple)
    assert (client[0], scheme) == ("127.0.0.1", "http")


def scope_with_root_path(process: ServerProcess, *paths: str) -> tuple[str, list[bytes]]:
    """root_path of the scope, and those of the fields that are left in it."""
    headers = [("Daphne-Root-Path", path) for path in paths]
    answer = httpx.get(f"{process.url}/scope", headers=headers)
    scope = ast.literal_eval(answer.text)
    left = [value for name, value in scope["headers"] if name == b"daphne-root-path"]
    return scope["root_path"], left


def test_the_root_path_of_a_trusted_proxy(server: StartServer) -> None:
    process = server("apps.probe:app", "--proxy-headers", "--root-path", "/own")
    assert scope_with_root_path(process) == ("/own", [])
    assert scope_with_root_path(process, "/caf%C3%A9%20x") == ("/café x", [])
    assert scope_with_root_path(process, "/client", "/proxy") == ("/proxy", [])
    assert scope_with_root_path(process) == ("/own", [])
    with connect(
        f"{process.ws_url}/scope", additional_headers={"Daphne-Root-Path": "/sockets"}
    ) as client:
        assert "'root_path': '/sockets'" in str(client.recv())
    assert "Daphne-Root-Path" not in process.log()


@pytest.mark.parametrize("flags", [(), ("--proxy-headers", "--forwarded-allow-ips", "10.0.0.1")])
def test_the_root_path_of_others_is_ignored_which_the_log_says_once(
    server: StartServer, flags: tuple[str, ...]
) -> None:
    process = server("apps.probe:app", *flags, "--root-path", "/own")
    for _ in range(2):
        assert scope_with_root_path(process, "/client") == ("/own", [b"/client"])
    process.wait_for_log("sends Daphne-Root-Path: ignored")
    assert process.log().count("Daphne-Root-Path") == 1


@pytest.mark.parametrize("flags", [(), ("--proxy-headers",)])
def test_daphne_believes_everybodys_root_path(server: StartServer, flags: tuple[str, ...]) -> None:
    process = server("apps.probe:app", "--daphne-strict", *flags)
    assert scope_with_root_path(process, "/first", "/l%20st") == ("/l st", [])
    assert "Daphne-Root-Path" not in process.log()


def test_websocket_scheme_and_client(server: StartServer) -> None:
    process = server(APP, "--proxy-headers")
    with connect(f"ws://127.0.0.1:{process.port}/", additional_headers=FORWARDED) as client:
        assert ast.literal_eval(str(client.recv())) == (("10.0.0.9", 5123), "wss")


def test_they_are_ignored_without_the_flag(server: StartServer) -> None:
    client, scheme = seen(server(APP), FORWARDED)
    assert isinstance(client, tuple)
    assert client[0] == "127.0.0.1"
    assert scheme == "http"


def test_other_field_names(server: StartServer) -> None:
    names = ("--proxy-headers-host", "X-Real-IP", "--proxy-headers-port", "X-Real-Port")
    process = server(APP, "--proxy-headers", *names)
    headers = {**FORWARDED, "X-Real-IP": "192.0.2.9", "X-Real-Port": "7"}
    assert seen(process, headers) == (("192.0.2.9", 7), "https")


@pytest.mark.parametrize("flag", ["--proxy-headers-host", "--proxy-headers-port"])
def test_names_need_the_flag(server_command: list[str], flag: str) -> None:
    result = subprocess.run(
        [*server_command, flag, "X", APP], capture_output=True, text=True, timeout=20, check=False
    )
    assert result.returncode == 2
    assert "--proxy-headers has to be passed for this parameter." in result.stderr
