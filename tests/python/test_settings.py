"""The tables of settings: what is said once holds for flags, keywords, native options and docs."""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import cppasgi
from cppasgi import _native
from cppasgi.command.configuration import ConfigurationError, configured
from cppasgi.command.options import OptionParser
from cppasgi.serving.native_options import native_options
from cppasgi.settings.command_settings import CommandSettings
from cppasgi.settings.server_settings import ServerSettings
from cppasgi.settings.setting import GROUPS, Setting, settings_of

pytestmark = pytest.mark.python_side

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEYWORDS = dict(settings_of(ServerSettings))
FLAGS = [
    one for one in [*KEYWORDS.values(), *dict(settings_of(CommandSettings)).values()] if one.group
]
NATIVE = {one.native: name for name, one in KEYWORDS.items() if one.native}
OF_THE_SERVER = {
    *("access_log_fd", "finishes_responses", "metrics_fd", "metrics_index"),
    *("plain_tasks", "replace_idle_at", "backlog"),
}
"""Native options that no setting is, but that the server works out or nobody sets."""


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})


def server(**keywords: Any) -> cppasgi.Server:
    return cppasgi.Server(application, port=0, lifespan="off", **keywords)


def options(*args: str, environ: dict[str, str] | None = None, config: Path | None = None) -> Any:
    parser = OptionParser("")
    found = configured(parser, str(config) if config else None, environ or {})
    return parser.parse_args(args, found)


def flag(one: Setting) -> str:
    return next(name for name in one.flags if name.startswith("--"))


@pytest.fixture(autouse=True)
def _no_project_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# --- one table, and all that is made from it ---


def test_every_setting_is_in_a_group_of_the_help() -> None:
    assert {one.group for one in FLAGS} == set(GROUPS)


def test_every_native_option_is_a_settings_or_the_servers_own() -> None:
    known = {name for name in dir(_native.ServerOptions) if not name.startswith("_")}
    assert set(NATIVE) | OF_THE_SERVER == known
    assert not set(NATIVE) & OF_THE_SERVER


@pytest.mark.parametrize("name", NATIVE)
def test_defaults_are_those_of_the_native_options(name: str) -> None:
    """Of server/options.h, which programs in C++ get."""
    one = KEYWORDS[NATIVE[name]]
    assert one.kind.native(one.default) == getattr(_native.ServerOptions(), name)


def defaults_in_docs() -> dict[str, str]:
    """The second cell of each row that begins with a flag, by flag."""
    found = {}
    for line in (DOCS / "configuration.md").read_text().splitlines():
        cells = [cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) < 3 or not cells[0].startswith("-"):
            continue
        flags = re.findall(r"(?<![\w-])--(?!no-)[\w-]+", cells[0])
        several = cells[1].split(", ")
        for place, name in enumerate(flags):
            found[name] = several[place] if len(flags) == len(several) > 1 else cells[1]
    return found


@pytest.mark.parametrize("one", FLAGS, ids=flag)
def test_the_reference_has_the_flag_with_its_default(one: Setting) -> None:
    documented = defaults_in_docs()
    named = [name for name in one.flags if name in documented]
    assert named, f"docs/configuration.md has no row for {flag(one)}"
    assert {documented[name] or "none" for name in named} == {one.shown}


def test_the_help_has_every_default() -> None:
    text = "".join(OptionParser("").format_help().split())  # it breaks lines at hyphens, too
    for one in FLAGS:
        places = [match.end() for match in re.finditer(flag(one), text)]
        default = f"(default:{one.shown})".replace(" ", "")
        assert any(default in text[at : at + len(one.help) + 100] for at in places), flag(one)


# --- keywords take what flags take ---


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("forwarded_allow_ips", "10.0.0.0/8, unix", ["10.0.0.0/8", "unix"]),
        ("forwarded_allow_ips", ["10.0.0.1"], ["10.0.0.1/32"]),
        ("forwarded_allow_ips", "", []),
        ("headers", ["X-A: b", ("X-C", " d")], [("X-A", "b"), ("X-C", "d")]),
        ("access_log_exclude", "/healthz /readyz", ["/healthz", "/readyz"]),
        ("unix_socket_mode", "", None),
        ("http_timeout", "2.5", 2.5),
        ("websocket_timeout", -1, -1),
        ("limit_concurrency", "7", 7),
        ("sendfile", "on", True),
        ("access_log", Path("access.log"), "access.log"),
    ],
)
def test_a_keyword_takes_what_its_flag_takes(name: str, given: object, value: object) -> None:
    assert getattr(server(**{name: given}), name) == value


@pytest.mark.parametrize("proxy", [True, False])
def test_proxy_headers(proxy: bool) -> None:
    native = native_options(server(proxy_headers=proxy, proxy_forwarded_port_header="X-Port"))
    assert native.proxy_address_header == ("x-forwarded-for" if proxy else "")
    assert native.proxy_port_header == "x-port"
    assert native.proxy_scheme_header == ("x-forwarded-proto" if proxy else "")


@pytest.mark.parametrize("place", ["path", "Path", "open"])
def test_the_access_log_may_be_a_path(place: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    if place == "open":
        with path.open("a") as log:
            request_once(server(access_log=log))
            assert not log.closed
    else:
        request_once(server(access_log=str(path) if place == "path" else path))
        assert path not in [fd.resolve() for fd in Path("/proc/self/fd").iterdir()]
    assert '"GET /one" 204' in path.read_text()


def request_once(one: cppasgi.Server) -> None:
    async def run() -> None:
        serving = asyncio.create_task(one.serve())
        await one.started()
        reader, writer = await asyncio.open_connection(*one.addresses[0])
        writer.write(b"GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.read()
        writer.close()
        one.shutdown()
        await serving

    asyncio.run(run())


def test_an_access_log_that_cannot_be_opened() -> None:
    with pytest.raises(OSError, match=r"/no/such/folder/access\.log"):
        asyncio.run(server(access_log="/no/such/folder/access.log").serve())


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("metrics", "127.0.0.1:9100", "only a supervisor serves them, see the flag --metrics"),
        ("http_timeout", None, "None is not a number of seconds"),
        ("http_timeout", "soon", "'soon' is not a number of seconds"),
        ("limit_request_line", 0, "0 is not between 1 and 2147483647"),
        ("limit_request_line", 1.5, "1.5 is not a whole number"),
        ("ws_deflate_level", 10, "10 is not between 1 and 9"),
        ("websocket_slow_reader", "cut", "'cut' is none of wait, drop"),
        ("loop", "twisted", "'twisted' is none of auto, native, asyncio, uvloop"),
        ("sendfile", "maybe", "'maybe' is neither true nor false"),
        ("forwarded_allow_ips", 7, "7 is not a list"),
        ("forwarded_allow_ips", ["localhost"], "'localhost' is no address or network"),
        ("headers", ["X-A"], "'X-A' is not of the form NAME:VALUE"),
        ("headers", [7], "7 is not a pair of name and value"),
        ("access_log", 7, "7 is not a text"),
        ("unix_socket_mode", 7, "'7' are no permissions, such as 660"),
        ("server_name", "a\r\nb: c", "has characters that can't be printed"),
        ("verbosity", 4, "4 is not between 0 and 3"),
    ],
)
def test_what_a_keyword_does_not_take_is_one_line(name: str, given: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: [^\n]*$") as raised:
        server(**{name: given})
    assert message in str(raised.value)


# --- nothing, and twice ---


@pytest.mark.parametrize(
    "name",
    [
        *("--metrics", "--fd", "--unix-socket-mode", "--host", "--unix-socket", "--env-file"),
        *("--log-config", "--access-log"),
    ],
)
def test_an_empty_value_is_none(name: str, tmp_path: Path) -> None:
    dest = next(a.dest for a in OptionParser("")._actions if name in a.option_strings)
    file = tmp_path / "site.toml"
    file.write_text(f'{name.removeprefix("--")} = ""\n')
    variable = "CPPASGI_" + name.removeprefix("--").replace("-", "_").upper()
    assert getattr(options(f"{name}="), dest) is None
    assert getattr(options(environ={variable: ""}), dest) in (None, "")
    assert getattr(options(config=file), dest) in (None, "")


def test_nobody_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    for value in ("[]", '""'):
        file.write_text(f"forwarded-allow-ips = {value}\n")
        assert options(config=file).forwarded_allow_ips == []
    assert options("--forwarded-allow-ips", "").forwarded_allow_ips == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("graceful-timeout = 1\ngraceful_timeout = 2", "graceful-timeout is there twice"),
        ("websocket_timeout = 1\nwebsocket-timeout = 2", "websocket-timeout is there twice"),
        ('bind = "::1"\nhost = "::2"', "bind: host is there too, and the same flag"),
    ],
)
def test_one_flag_in_two_spellings(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=f"site.toml: {message}[^\n]*$"):
        options(config=file)


@pytest.mark.parametrize("name", ["Cppasgi", "CPPASGI", "cpp-asgi", "cpp_asgi"])
def test_a_table_of_almost_our_name(name: str, tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(f"[tool.{name}]\nport = 1\n")
    with pytest.raises(ConfigurationError, match=rf"\[tool.{name}\] is to be \[tool.cppasgi\]$"):
        options(config=file)
    with pytest.raises(ConfigurationError, match=r"^pyproject.toml: "):
        options()


def test_old_spellings_are_the_same_flag() -> None:
    assert options("--websocket-timeout", "7").websocket_timeout == 7
    assert options("--websocket_timeout", "7").websocket_timeout == 7


def test_flags_of_subclasses_are_configured_too() -> None:
    parser = OptionParser("")
    parser.add_argument("--of-a-subclass", type=int)
    found = configured(parser, None, {"CPPASGI_OF_A_SUBCLASS": "7"})
    assert parser.parse_args([], found).of_a_subclass == 7
    with pytest.raises(argparse.ArgumentError):
        parser.add_argument("--host")
