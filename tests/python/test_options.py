"""Every flag: what it takes, what it refuses, and the same from environment and file."""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import StartServer
from server_process import HERE

from cppasgi.command.cli import CommandLineInterface
from cppasgi.command.configuration import ConfigurationError, configured
from cppasgi.command.options import DAPHNE_FLAGS, OptionParser


class Flag(NamedTuple):
    """A flag with what it takes, what that becomes, and what it refuses."""

    name: str
    good: str
    value: object
    bad: tuple[str, ...] = ()


def times(name: str, *more_bad: str) -> Flag:
    return Flag(name, "2.5", 2.5, ("soon", "nan", "-nan", "", *more_bad))


def numbers(name: str, *more_bad: str) -> Flag:
    return Flag(name, "7", 7, ("many", "1.5", "-1", "2147483648", "", *more_bad))


FLAGS = [
    Flag("--config", "/dev/null", "/dev/null", ("/no/such/file", "/")),
    Flag("--bind", "::1", "::1", ("a\nb",)),
    Flag("--port", "0", 0, ("http", "65536", "-1", "")),
    Flag("--unix-socket", "/run/a.sock", "/run/a.sock", ("/run/\udcff",)),
    Flag("--fd", "3", 3, ("one", "-1")),
    Flag("--unix-socket-mode", "660", 0o660, ("rw-rw----", "680", "66", "1777")),
    Flag("--endpoint", "tcp:80", ["tcp:80"]),
    Flag("--app-dir", "/", "/", ("/no/such/folder", "/dev/null")),
    Flag("--env-file", "/dev/null", "/dev/null", ("a\nb",)),
    Flag("--reload-dir", "/", ["/"], ("/no/such/folder",)),
    Flag("--reload-include", "*.html", ["*.html"], (".",)),
    Flag("--reload-exclude", "tests", ["tests"], (".",)),
    Flag(
        "--header",
        "X-Frame-Options: DENY ",
        [("X-Frame-Options", "DENY")],
        ("X-Frame-Options", ": a", "X Y: a", "X: caf\u00e9", "Content-Length: 1", "server: a"),
    ),
    Flag("--access-log-exclude", "/healthz", ["/healthz"], ("healthz", "/a?b", "/a b", "/\u00e9")),
    Flag("--root-path", "/prefix", "/prefix", ("/\udcff", "/\t")),
    Flag("--lifespan", "on", "on", ("maybe", "")),
    Flag("--loop", "asyncio", "asyncio", ("twisted", "")),
    times("--graceful-timeout", "-1", "-inf"),
    times("--application-close-timeout", "-1", "-inf"),
    times("--drain-delay", "-1", "-inf"),
    times("--ws-drain-window", "-1", "-inf"),
    Flag("--workers", "3", 3, ("0", "-1", "many", "1025", "")),
    numbers("--max-requests"),
    times("--worker-lifetime", "-1", "-inf"),
    numbers("--worker-max-rss"),
    times("--worker-timeout", "-1", "-inf"),
    times("--slow-callback", "-1", "-inf"),
    Flag(
        "--metrics",
        "[::1]:9100",
        r"tcp:port=9100:interface=\:\:1",
        ("9100", ":9100", "localhost:", "localhost:http", "unix:"),
    ),
    Flag(
        "--forwarded-allow-ips",
        "10.0.0.1/8, ::1,unix,*",
        ["10.0.0.0/8", "::1/128", "unix", "*"],
        ("localhost", "10.0.0.0/33", "::1,", "fe80::1%eth0"),
    ),
    Flag("--proxy-headers-host", "X-Real-IP", "X-Real-IP", ("X Real", "X:")),
    Flag("--proxy-headers-port", "X-Real-Port", "X-Real-Port", ("X\n",)),
    Flag("--server-name", "mine", "mine", ("a\r\nb: c",)),
    times("--http-timeout", "-1", "-inf"),
    times("--timeout-request-header", "-1", "-inf"),
    times("--timeout-request-body", "-1", "-inf"),
    times("--timeout-send", "-1", "-inf"),
    times("--timeout-keep-alive", "-1", "-inf"),
    numbers("--limit-request-line", "0"),
    numbers("--limit-request-header", "0"),
    numbers("--limit-request-fields", "0"),
    numbers("--limit-request-body"),
    numbers("--limit-keep-alive-requests"),
    numbers("--limit-concurrency", "0"),
    times("--timeout-after-disconnect", "-1", "-inf"),
    times("--websocket_connect_timeout"),
    times("--websocket_timeout"),
    numbers("--websocket-max-message-size"),
    numbers("--websocket-max-frame-size"),
    times("--timeout-websocket-idle", "-1", "-inf"),
    times("--timeout-websocket-close", "-1", "-inf"),
    times("--timeout-websocket-message", "-1", "-inf"),
    numbers("--limit-websocket-queue", "0"),
    numbers("--limit-websocket-unsent", "0"),
    numbers("--limit-websocket-unfinished"),
    Flag("--websocket-slow-reader", "drop", "drop", ("cut", "")),
    times("--ping-interval"),
    times("--ping-timeout"),
    Flag("--ws-deflate", "dedicated", "dedicated", ("on", "")),
    numbers("--ws-deflate-level", "0", "10"),
    Flag("--ws-deflate-window-bits", "15", 15, ("8", "16", "wide", "")),
    numbers("--ws-deflate-memory-level", "0", "10"),
    numbers("--ws-deflate-threshold", "0"),
    numbers("--ws-deflate-memory"),
    Flag("--verbosity", "3", 3, ("4", "-1", "loud")),
    Flag("--access-log", "-", "-"),
    Flag(
        "--log-format",
        "%(h)s %({X-Request-ID}i)s",
        "%(h)s %({X-Request-ID}i)s",
        ("", "apache", "%(z)s", "%h", "%(h)s %({a b}i)s", "%(h)s\n"),
    ),
    Flag("--log-config", "/no/such/file", "/no/such/file"),
    Flag("--log-fmt", "%(message)s", "%(message)s", ("%(asctime", "%(nope)s", "%(msecs)q")),
]
SWITCHES = [
    *("--check", "--daphne-strict", "--proxy-headers", "--no-server-name", "--reload"),
    *("--sendfile", "--factory"),
]
LISTS = [
    *("--endpoint", "--header", "--access-log-exclude"),
    *("--reload-dir", "--reload-include", "--reload-exclude"),
]
GOOD = {flag.name: flag.good for flag in FLAGS}
BAD = [(flag.name, bad) for flag in FLAGS for bad in flag.bad]
CONFIGURABLE = [flag for flag in FLAGS if flag.name != "--config"]


def action(name: str) -> argparse.Action:
    return next(a for a in OptionParser("")._actions if name in a.option_strings)


def key(name: str) -> str:
    return name.removeprefix("--").replace("_", "-")


def parse(*args: str, environ: dict[str, str] | None = None, config: str | None = None) -> Any:
    """Parses as the command does, with this environment and file."""
    parser = OptionParser("")
    return parser.parse_args(args, configured(parser, config, environ or {}))


@pytest.fixture(autouse=True)
def _no_project_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_table_has_every_flag() -> None:
    defined = {
        next(name for name in a.option_strings if name.startswith("--"))
        for a in OptionParser("")._actions
        if a.option_strings
    }
    assert defined - {"--help", "--version", *SWITCHES, *GOOD} == set()
    assert {*GOOD, *SWITCHES} - defined == set()


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_good_values(flag: Flag) -> None:
    options = parse(flag.name, flag.good, "a:b")
    assert getattr(options, action(flag.name).dest) == flag.value
    assert options.application == "a:b"


@pytest.mark.parametrize("text", ["inf", "Infinity", "1e17", "1e400"])
@pytest.mark.parametrize("name", [flag.name for flag in FLAGS if flag.good == "2.5"])
def test_times_without_end(name: str, text: str, tmp_path: Path) -> None:
    """From the command line, from the environment, and as a string and a number of a file."""
    dest = action(name).dest
    assert getattr(parse(name, text), dest) == math.inf
    variable = "CPPASGI_" + key(name).replace("-", "_").upper()
    assert getattr(parse(environ={variable: text}), dest) == math.inf
    file = tmp_path / "site.toml"
    for value in (f'"{text}"', text.replace("Infinity", "inf")):
        file.write_text(f"{key(name)} = {value}\n")
        assert getattr(parse(config=str(file)), dest) == math.inf


@pytest.mark.parametrize(("name", "bad"), BAD)
def test_bad_values_are_one_line_and_status_2(
    name: str, bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        CommandLineInterface().run([f"{name}={bad}", "a:b"])
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("cppasgi: error: ")
    assert message.count("\n") == 1
    if name != "--config":
        assert name in message


@pytest.mark.parametrize(
    "args",
    [[], ["--no-such-flag", "a:b"], ["-p"], ["a:b", "c:d"], ["--limit", "1", "a:b"]],
    ids=" ".join,
)
def test_other_wrong_command_lines(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        CommandLineInterface().run(args)
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_switches() -> None:
    assert parse("--proxy-headers", "a:b").proxy_headers is True
    assert not parse("a:b").proxy_headers
    assert parse("--check", "a:b").check is True
    assert parse("--no-server-name", "a:b").server_name == ""
    assert parse("--no-server-name", "-s", "mine", "a:b").server_name == "mine"


def test_every_abbreviation_of_daphnes_is_its_flag() -> None:
    parser = OptionParser("")
    known = {n for a in parser._actions for n in a.option_strings}
    for flag in (f for f in DAPHNE_FLAGS if f in known and f != "--help"):
        for end in range(3, len(flag)):
            short = flag[:end]
            if short in known or sum(f.startswith(short) for f in DAPHNE_FLAGS) > 1:
                continue
            rest = [] if flag in SWITCHES else [GOOD[flag]]
            assert parser.parse_args([short, *rest]) == parser.parse_args([flag, *rest])
            if rest:
                assert parser.parse_args([f"{short}={rest[0]}"]) == parser.parse_args([flag, *rest])


def test_help_names_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        CommandLineInterface().run(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for group in ("addresses:", "behind a proxy:", "WebSocket:", "logging:"):
        assert f"\n{group}\n" in text


def test_bind_is_host_too(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('host = "::3"\n')
    assert parse("--host", "::1", "a:b").host == "::1"
    assert parse(environ={"CPPASGI_HOST": "::2"}).host == "::2"
    assert parse(config=str(file)).host == "::3"


def test_fields_in_a_variable_have_a_line_each() -> None:
    options = parse(environ={"CPPASGI_HEADER": "X-A: one two\nX-B: three\n"})
    assert options.headers == (("X-A", "one two"), ("X-B", "three"))


# --- environment and file ---


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
