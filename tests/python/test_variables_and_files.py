"""Every flag from the environment and from a file: the same values, and what is wrong there."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import StartServer
from flags import BAD, CONFIGURABLE, LISTS, Flag, action, key, parse
from server_process import HERE

from cppasgi.command.configuration import ConfigurationError


@pytest.fixture(autouse=True)
def _no_project_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("flag", CONFIGURABLE, ids=lambda flag: flag.name)
def test_every_flag_has_a_variable_and_a_key(flag: Flag, tmp_path: Path) -> None:
    dest = action(flag.name).dest
    variable = "CPPASGI_" + key(flag.name).replace("-", "_").upper()
    value = tuple(flag.value) if flag.name in LISTS else flag.value
    assert getattr(parse(environ={variable: flag.good}), dest) == value
    for spelling in (key(flag.name), key(flag.name).replace("-", "_")):
        file = tmp_path / "site.toml"
        quoted = f'"{flag.good}"'
        file.write_text(f"{spelling} = {[flag.good] if flag.name in LISTS else quoted}\n")
        assert getattr(parse(config=str(file)), dest) == value
    if isinstance(flag.value, int | float):
        file.write_text(f"{key(flag.name)} = {flag.good}\n")
        assert getattr(parse(config=str(file)), dest) == value


@pytest.mark.parametrize(("name", "bad"), [pair for pair in BAD if pair[0] != "--config"])
def test_bad_values_in_environment_and_file(name: str, bad: str, tmp_path: Path) -> None:
    variable = "CPPASGI_" + key(name).replace("-", "_").upper()
    with pytest.raises(ConfigurationError, match=f"^{variable}: [^\n]+$"):
        parse(environ={variable: bad})
    file = tmp_path / "site.toml"
    if not bad.isprintable():
        return
    file.write_text(f"{key(name)} = {[bad] if name in LISTS else json.dumps(bad)}\n")
    with pytest.raises(ConfigurationError, match=f"site.toml: {key(name)}: [^\n]+$"):
        parse(config=str(file))


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("off", False)])
def test_switches_in_the_environment(text: str, value: bool) -> None:
    assert parse(environ={"CPPASGI_PROXY_HEADERS": text}).proxy_headers is value
    assert (parse(environ={"CPPASGI_NO_SERVER_NAME": text}).server_name == "") is value


def test_flags_come_before_variables_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        'application = "file:app"\nport = 1\nendpoint = ["tcp:1", "tcp:2"]\nping-timeout = 1\n'
        "proxy-headers = true\nno-server-name = true\n"
    )
    environ = {
        "CPPASGI_CONFIG": str(file),
        "CPPASGI_PORT": "2",
        "CPPASGI_ENDPOINT": "tcp:3  tcp:4",
        "CPPASGI_SERVER_NAME": "variable",
    }
    options = parse(environ=environ)
    assert (options.application, options.port, options.ping_timeout) == ("file:app", 2, 1)
    assert options.socket_strings == ("tcp:3", "tcp:4")
    assert options.server_name == "variable"
    assert options.proxy_headers is True
    options = parse("flag:app", "-p", "3", "-e", "tcp:5", "-e", "tcp:6", environ=environ)
    assert (options.application, options.port) == ("flag:app", 3)
    assert options.socket_strings == ["tcp:5", "tcp:6"]


def test_project_file(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    assert parse("a:b", environ={"CPPASGI_CONFIG": ""}).port is None
    project.write_text('[project]\nname = "site"\n')
    assert parse("a:b").port is None
    project.write_text("[tool.cppasgi]\nport = 7\n")
    assert parse("a:b").port == 7
    (tmp_path / "other.toml").write_text("verbosity = 0\n")
    assert parse("a:b", config="other.toml").port is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "there is no such flag"),
        ('config = "other.toml"', "there is no such key, only a flag"),
        ("version = true", "there is no such key, only a flag"),
        ("check = true", "there is no such key, only a flag"),
        ("port = ", "Invalid value"),
        ("port = true", "True is neither a string nor a number"),
        ("root-path = ['/']", "is neither a string nor a number"),
        ("endpoint = 7", "7 is not a list"),
        ("endpoint = [[]]", "is neither a string nor a number"),
        ("proxy-headers = 2", "2 is neither true nor false"),
        ("[server]\nport = 1", "there is no such flag"),
    ],
)
def test_bad_files(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=f"site.toml: [^\n]*{message}[^\n]*$"):
        parse(config=str(file))


@pytest.mark.parametrize("text", ["tool = 7", "[tool]\ncppasgi = 7", "tool ="])
def test_bad_project_files(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"pyproject\.toml: "):
        parse()


def test_unknown_variables_are_collected() -> None:
    options = parse(environ={"CPPASGI_PROT": "1", "CPPASGI_CHECK": "yes", "PATH": ""})
    check, port = options.configuration_warnings
    assert check == "CPPASGI_CHECK: there is no such key, only a flag; the variable is ignored"
    assert port.startswith("CPPASGI_PROT: there is no such flag")
    assert options.check is False


def service_links(service: str, address: str = "10.0.0.1") -> dict[str, str]:
    """What Kubernetes puts into every pod for a Service with the ports http and 9100/UDP."""
    prefix = service.upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    links = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": "8000",
        f"{prefix}_SERVICE_PORT_HTTP": "8000",
        f"{prefix}_PORT": f"tcp://{host}:8000",
    }
    for protocol, port in (("tcp", "8000"), ("udp", "9100")):
        one = f"{prefix}_PORT_{port}_{protocol.upper()}"
        links[one] = f"{protocol}://{host}:{port}"
        links |= {f"{one}_PROTO": protocol, f"{one}_PORT": port, f"{one}_ADDR": address}
    return links


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
@pytest.mark.parametrize("service", ["cppasgi", "cppasgi-web", "cppasgi-proxy-headers"])
def test_service_links_of_kubernetes_are_ignored(service: str, address: str) -> None:
    options = parse(environ=service_links(service, address))
    assert (options.port, options.proxy_headers_port) == (None, None)
    assert options.configuration_warnings == []


def test_an_address_that_is_no_service_link_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^CPPASGI_METRICS: "):
        parse(environ={"CPPASGI_METRICS": "tcp://10.0.0.1"})


def test_the_command_starts_beside_a_service_of_its_name(server: StartServer) -> None:
    env = {**service_links("cppasgi"), "CPPASGI_ROOT_PATH": "/prefix"}
    process = server("apps.probe:app", env=env)
    assert "'root_path': '/prefix'" in process.get("/scope").text
    assert "WARNING" not in process.log()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_command_warns_of_other_variables_once(server: StartServer, workers: str) -> None:
    env = {"CPPASGI_QQQQ": "80", "CPPASGI_WEB_SERVICE": "x"}
    process = server("apps.probe:app", "--workers", workers, env=env)
    assert process.get("/").status_code == 200
    for name in env:
        line = f"{name}: there is no such flag; the variable is ignored"
        assert process.log().count(line) == 1


def test_the_check_tells_of_other_variables(server_command: list[str]) -> None:
    result = subprocess.run(
        [*server_command, "--check", "apps.probe:app"],
        cwd=HERE,
        env={**os.environ, "CPPASGI_QQQQ": "80"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0
    line = "cppasgi: warning: CPPASGI_QQQQ: there is no such flag; the variable is ignored\n"
    assert line in result.stderr


def test_the_command_reads_them(server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('server-name = "file"\nroot-path = "/file"\n')
    process = server(
        "apps.probe:app",
        *("--config", str(tmp_path / "site.toml")),
        env={"CPPASGI_ROOT_PATH": "/variable"},
    )
    answer = process.get("/scope")
    assert answer.headers["server"] == "file"
    assert "'root_path': '/variable'" in answer.text


def test_a_bad_variable_is_one_line(
    server_command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CPPASGI_PORT", "http")
    result = subprocess.run(
        [*server_command, "apps.probe:app"], cwd=HERE, capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 2
    assert result.stderr == "cppasgi: error: CPPASGI_PORT: 'http' is not a whole number\n"
