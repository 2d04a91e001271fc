"""Where settings come from: every flag in every source over every other, and what is wrong there.

The flags, and what each takes, are the parser's own: a new one is tested without a line here.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import StartServer

from cppasgi.command.cli import CommandLineInterface
from cppasgi.command.configuration import ConfigurationError, configured
from cppasgi.command.options import OptionParser

TEXTS = [
    "",
    *("0", "0.5", "1", "2", "10", "12", "20000", "660", "600"),
    *("/", "/dev", "a.sock", "unix:/m.sock", "127.0.0.1:9000", "10.0.0.0/8,unix", "10.0.0.1"),
    *("X-A: b", "X-B: c", "%(message)s", "%(levelname)s", "%(h)s %(s)s", "%(m)s", "combined"),
    *("tcp:80", "*.html", "json"),
]
"""Something for whatever a flag takes: numbers, times, addresses, paths, fields, formats."""
PARSER = OptionParser("")
SOURCES = ("file", "environment", "flag")


class Setting(NamedTuple):
    """A flag's value: as text, and as what the flag makes of it."""

    text: str
    value: Any


@pytest.fixture(autouse=True)
def _no_project_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def is_list(action: argparse.Action) -> bool:
    return isinstance(action.default, tuple)


def is_switch(action: argparse.Action) -> bool:
    return action.nargs == 0


def name(action: argparse.Action) -> str:
    return next((n for n in action.option_strings if n.startswith("--")), f"--{action.dest}")


def key(action: argparse.Action) -> str:
    return name(action).removeprefix("--").replace("_", "-")


def configurable() -> list[argparse.Action]:
    return [a for a in PARSER._actions if key(a) not in ("help", "version", "config", "check")]


def accepted(action: argparse.Action) -> list[Setting]:
    """Some of what the flag takes, the default and nothing among it, each giving another value."""
    settings: dict[str, Setting] = {}
    default = [] if action.default is argparse.SUPPRESS else [action.default]
    for text in map(str, [*default, *(action.choices or TEXTS)]):
        try:
            value = action.type(text) if callable(action.type) else text
        except (argparse.ArgumentTypeError, ValueError):
            continue
        settings.setdefault(repr(value), Setting(text, value))
    return [*settings.values()][:4]


def of(action: argparse.Action, source: str, text: str, folder: Path) -> dict[str, Any]:
    """Arguments for `parse` that give the flag this value there."""
    if source == "environment":
        return {"environ": {"CPPASGI_" + key(action).upper().replace("-", "_"): text}}
    if source == "file":
        path = folder / "site.toml"
        path.write_text(f"{key(action)} = {json.dumps([text] if is_list(action) else text)}\n")
        return {"config": str(path)}
    if action.dest == "application":
        return {"args": [text]}
    if is_switch(action):
        return {"args": [name(action) if text == "true" else "--no-" + key(action)]}
    return {"args": [f"{name(action)}={text}"]}


def parse(
    args: list[str] | None = None, environ: dict[str, str] | None = None, config: str | None = None
) -> Any:
    return PARSER.parse_args(args or [], configured(PARSER, config, environ or {}))


ACTIONS = configurable()
CASES = [
    pytest.param(action, lower, upper, id=f"{key(action)}-{upper}-over-{lower}")
    for action in ACTIONS
    for lower, upper in itertools.combinations(SOURCES, 2)
    if action.const is None or upper != "flag"  # whose opposite is another flag
]


@pytest.mark.parametrize("action", ACTIONS, ids=key)
def test_there_are_values_for_every_flag(action: argparse.Action) -> None:
    assert is_switch(action) or len(accepted(action)) >= 2, "TEXTS has too few for it"


@pytest.mark.parametrize(("action", "lower", "upper"), CASES)
def test_the_upper_source_counts(
    action: argparse.Action, lower: str, upper: str, tmp_path: Path
) -> None:
    """Whatever the value, also one that is nothing, or the default."""
    settings = accepted(action)
    if is_switch(action):
        on = True if action.const is None else action.const
        off = False if action.const is None else parse().__dict__[action.dest]
        settings = [Setting("true", on), Setting("false", off)]
    for below, above in itertools.permutations(settings, 2):
        arguments = {
            **of(action, lower, below.text, tmp_path),
            **of(action, upper, above.text, tmp_path),
        }
        value = getattr(parse(**arguments), action.dest)
        if is_list(action):
            split = action.split(above.text) if upper == "environment" else [above.text]  # type: ignore[attr-defined]
            assert [*value] == [action.type(t) if callable(action.type) else t for t in split]
        else:
            assert value == above.value, (below, above)


@pytest.mark.parametrize("action", [a for a in ACTIONS if is_list(a)], ids=key)
@pytest.mark.parametrize("source", ["file", "environment"])
def test_a_list_may_be_emptied(action: argparse.Action, source: str, tmp_path: Path) -> None:
    text = next(setting.text for setting in accepted(action) if setting.text)
    arguments = of(action, "file", text, tmp_path)
    assert len(getattr(parse(**arguments), action.dest)) == 1
    if source == "environment":
        arguments |= of(action, "environment", "", tmp_path)
    else:
        Path(arguments["config"]).write_text(f"{key(action)} = []\n")
    assert getattr(parse(**arguments), action.dest) == ()


@pytest.mark.parametrize(
    "action", [a for a in ACTIONS if is_switch(a) and a.const is None], ids=key
)
def test_switches_have_a_flag_for_off(action: argparse.Action, tmp_path: Path) -> None:
    on = of(action, "file", "true", tmp_path)
    assert getattr(parse(["--no-" + key(action)], **on), action.dest) is False
    assert getattr(parse(["--no-" + key(action), name(action)]), action.dest) is True
    assert getattr(parse([name(action), "--no-" + key(action)]), action.dest) is False


def test_one_source_withdraws_what_another_says_of_the_server_name(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('server-name = "mine"\nno-server-name = true\n')
    assert parse(config=str(file)).server_name == ""
    environ = {"CPPASGI_NO_SERVER_NAME": "false"}
    assert parse(config=str(file), environ=environ).server_name == "mine"


def test_proxies_switched_off_need_no_fields_of_theirs(server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('proxy-headers = true\nproxy-headers-host = "X-Real-IP"\n')
    forged = ("X-Real-IP: 203.0.113.9", "X-Forwarded-For: 203.0.113.9")
    for flags, environ, believed in (
        ((), {}, True),
        (("--no-proxy-headers",), {}, False),
        ((), {"CPPASGI_PROXY_HEADERS": "false"}, False),
    ):
        process = server("apps.probe:app", "--config", str(file), *flags, env=environ)
        with process.connect() as wire:
            scope = wire.get("/scope", *forged).body.decode()
        client = scope.partition("'client': ")[2]
        assert client.startswith(("['203.0.113.9'", "('203.0.113.9'")) is believed, scope
        assert process.stop() == 0


# --- lists, times and permissions ---


def test_a_default_that_help_has_as_a_list_may_be_one(tmp_path: Path) -> None:
    action = next(a for a in ACTIONS if a.dest == "forwarded_allow_ips")
    default = ",".join(action.default)
    assert f"(default: {default})" in " ".join(OptionParser("").format_help().split())
    file = tmp_path / "site.toml"
    for value in (json.dumps(action.default), json.dumps(default)):
        file.write_text(f"forwarded-allow-ips = {value}\n")
        assert (
            parse(config=str(file)).forwarded_allow_ips
            == parse(["--forwarded-allow-ips", default]).forwarded_allow_ips
        )
    file.write_text("forwarded-allow-ips = [7]\n")
    with pytest.raises(ConfigurationError, match="'7' is no address or network"):
        parse(config=str(file))


TIMES = [a for a in ACTIONS if a.metavar == "SECONDS"]


@pytest.mark.parametrize("text", ["-0.5", "-2", "-inf", "-1"])
@pytest.mark.parametrize("action", TIMES, ids=key)
def test_no_time_is_negative(
    action: argparse.Action, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But -1, where Daphne has that for no limit."""
    file = tmp_path / "number.toml"
    file.write_text(f"{key(action)} = {text}\n")
    environ = of(action, "environment", text, tmp_path)
    if text == "-1" and action.dest in ("websocket_timeout", "websocket_connect_timeout"):
        assert getattr(parse(config=str(file)), action.dest) == -1
        return
    for arguments in ({"config": str(file)}, environ, of(action, "file", text, tmp_path)):
        with pytest.raises(ConfigurationError, match=r"is less than 0 seconds$"):
            parse(**arguments)
    with pytest.raises(SystemExit) as end:
        CommandLineInterface().run([f"{name(action)}={text}", "a:b"])
    assert end.value.code == 2
    assert "is less than 0 seconds" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0o660", "0o600", "0o666", "0o640", "0o777", "432"])
def test_permissions_that_toml_has_made_another_number(text: str, tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(f"unix-socket-mode = {text}\n")
    with pytest.raises(ConfigurationError, match="are no permissions, such as 660"):
        parse(config=str(file))


# --- what is in the wrong place, or misspelt ---


def test_the_nearest_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    for wrong, reason in (
        ("prot", r"there is no such flag \(did you mean port\?\)"),
        ("proxy_header", r"there is no such flag \(did you mean proxy-headers\?\)"),
        ("no-proxy-headers", r"there is no such flag \(did you mean proxy-headers\?\)"),
        ("qqqq", "there is no such flag"),
        ("config", "there is no such key, only a flag"),
    ):
        file.write_text(f"{wrong} = 1\n")
        with pytest.raises(ConfigurationError, match=f"{wrong.replace('_', '-')}: {reason}$"):
            parse(config=str(file))
    file.write_text("[tool.cppasgi]\nport = 1\n")
    with pytest.raises(ConfigurationError, match=r"tool: here keys stand at the top, without"):
        parse(config=str(file))


def test_the_nearest_variable_is_named() -> None:
    warnings = parse(environ={"CPPASGI_PROT": "1", "CPPASGI_QQQQ": "1"}).configuration_warnings
    assert warnings == [
        "CPPASGI_PROT: there is no such flag (did you mean CPPASGI_PORT?); the variable is ignored",
        "CPPASGI_QQQQ: there is no such flag; the variable is ignored",
    ]


@pytest.mark.parametrize("is_named", [True, False])
def test_keys_beside_the_table_of_a_project_file(is_named: bool, tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    config = str(file) if is_named else None
    shown = str(file) if is_named else "pyproject.toml"
    file.write_text('workers = 2\nprot = 80\n[project]\nname = "site"\n[cppasgi]\nport = 3\n')
    options = parse(config=config)
    assert (options.workers, options.port) == (1, None)
    assert options.configuration_warnings == [
        *(
            f"{shown}: {key} stands outside of [tool.cppasgi] and is ignored"
            for key in ("workers", "prot", "cppasgi")
        ),
        *([f"{shown}: there is no table [tool.cppasgi]"] if is_named else []),
    ]
    file.write_text('[project]\nname = "site"\n[build-system]\n[tool.cppasgi]\nport = 7\n')
    options = parse(config=config)
    assert (options.port, options.configuration_warnings) == (7, [])


def test_a_start_warns_of_keys_beside_the_table(server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("workers = 2\n")
    process = server("apps.probe:app", "--config", str(file))
    assert f"{file}: workers stands outside of [tool.cppasgi] and is ignored" in process.log()
