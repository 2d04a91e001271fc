"""Every flag on the command line: what it takes, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from flags import BAD, FLAGS, GOOD, SWITCHES, Flag, action, key, parse

from cppasgi.command.cli import CommandLineInterface
from cppasgi.command.options import DAPHNE_FLAGS, OptionParser


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
