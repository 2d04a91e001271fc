"""What CONTRIBUTING.md has newcomers type: its presets, targets, files, tests and flags exist."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.python_side

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
TOOLS = {"ctest", "export", "pytest", "cmake", "pip", "python", "python3", ".", "pre-commit"}
OPTIONS_WITH_VALUE = {"-k", "-n", "--server-command"}


def commands() -> list[list[str]]:
    """The commands of blocks and tables, as words, without the variables before them."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    cells = re.findall(r"`((?:pytest|cmake|scripts/|pip )[^`]*)`", PAGE)
    found = []
    for line in [*blocks.splitlines(), *cells]:
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            command = words[:end]
            words = words[end + 1 :]
            while command and re.match(r"[A-Z_]+=", command[0]):
                command = command[1:]
            if command:
                found.append(command)
    return found


COMMANDS = commands()


def of(tool: str) -> list[list[str]]:
    found = [command[1:] for command in COMMANDS if command[0] == tool]
    assert found, f"no {tool} in CONTRIBUTING.md?"
    return found


def value(command: list[str], flag: str) -> str | None:
    return command[command.index(flag) + 1] if flag in command else None


def test_every_command_is_a_tool_or_a_script_that_can_be_run() -> None:
    for command in COMMANDS:
        name = command[0]
        if name in TOOLS or name.startswith("build/dev/"):
            continue
        assert (ROOT / name).stat().st_mode & 0o100, name


def test_presets_exist() -> None:
    presets = json.loads((ROOT / "CMakePresets.json").read_text())
    kinds = {
        kind: {one["name"] for one in presets[f"{kind}Presets"] if not one.get("hidden")}
        for kind in ("configure", "build", "test")
    }
    for command in of("cmake"):
        kind = "build" if "--build" in command else "configure"
        assert value(command, "--preset") in kinds[kind], command
    for command in of("ctest"):
        assert value(command, "--preset") in kinds["test"], command
    configured: set[str | None] = set()
    for command in (words for words in COMMANDS if words[0] in ("cmake", "ctest")):
        preset = value(command, "--preset")
        if command[:2] == ["cmake", "--preset"]:
            configured.add(preset)
        assert preset in configured, f"{preset} is used before it is configured"
    named = set(re.findall(r"presets are (.*?)\.", PAGE, re.DOTALL)[0].split("`")[1::2])
    assert named | {"dev", "core"} == kinds["configure"]


def test_targets_exist() -> None:
    lists = [ROOT / "asgi_bridge" / "CMakeLists.txt", ROOT / "tests" / "CMakeLists.txt"]
    text = "".join(path.read_text() for path in lists)
    folders = re.search(r"foreach\(folder (.*)\)", text)
    assert folders
    targets = {f"test_{folder}" for folder in folders[1].split()}
    targets |= set(re.findall(r"(?:add_executable|pybind11_add_module)\((\S+)", text))
    named = [value(command, "--target") for command in of("cmake") if "--target" in command]
    assert set(named) <= targets
    fuzzers = [word for command in of("scripts/fuzz.sh") for word in command if word[0] == "f"]
    assert fuzzers
    for name in fuzzers:
        assert (ROOT / "tests" / "fuzz" / f"{name}.cpp").exists()


def test_c_plus_plus_tests_exist() -> None:
    names = [
        f"{path.parent.name}:{name}"
        for path in (ROOT / "tests" / "cpp").rglob("*_test.cpp")
        for name in re.findall(r'TEST_CASE\("(.*?)"', path.read_text())
    ]
    assert len(names) > 100
    patterns = [value(command, "-R") for command in of("ctest") if "-R" in command]
    for pattern in patterns:
        assert pattern is not None
        assert any(re.search(pattern, name) for name in names), pattern
    for command in COMMANDS:
        if command[0].startswith("build/dev/tests/test_"):
            wanted = f"{command[0].rpartition('test_')[2]}:{command[1].removesuffix('*')}"
            assert any(name.startswith(wanted) for name in names), wanted
    for wanted in re.findall(r'`"(.*?)"`', PAGE):
        assert any(name.endswith(f":{wanted}") for name in names), wanted


@pytest.mark.parametrize(
    "command",
    [words for words in of("pytest") if "-k" in words or "::" in words[0]],
    ids=" ".join,
)
def test_python_tests_exist(command: list[str]) -> None:
    collecting = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run([*collecting, *command], cwd=ROOT, capture_output=True, text=True)
    if "ModuleNotFoundError" in result.stdout:
        pytest.skip("needs the requirements of another folder of tests")
    assert result.returncode == 0, result.stdout


def test_files_exist() -> None:
    mentioned = set(re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:md|sh|py|json))`", PAGE))
    assert len(mentioned) > 20
    for name in mentioned:
        beside = [] if "/" in name else (ROOT / "python").rglob(name)
        assert (ROOT / name).exists() or any(beside), name
    for command in COMMANDS:
        for before, word in itertools.pairwise(command):
            if "/" in word and before not in OPTIONS_WITH_VALUE and "*" not in word:
                path = word.partition("::")[0]
                assert path.startswith((".venv/", "build/")) or (ROOT / path).exists(), word


def test_names_of_the_sources_are_true() -> None:
    """The functions and types that the recipes name."""
    sources = "".join(
        path.read_text()
        for folder, ends in (("server", ("h", "cpp")), ("asgi_bridge", ("h", "cpp")))
        for end in ends
        for path in (ROOT / folder).rglob(f"*.{end}")
    ) + "".join(
        path.read_text()
        for folder in ("python", "tests/python")
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(__file__)
    )
    recipes = PAGE.split("## Recipes")[1].split("## Change")[0]
    names = set(re.findall(r"`(\w+(?:::\w+)?)(?:\([\w, ]*\))?`", recipes))
    assert {"SessionHost::log", "metrics_layout", "escaped"} <= names
    for name in names:
        assert re.search(rf"\b{name.rpartition('::')[2]}\b", sources), name


def test_extras_and_flags_of_scripts_exist() -> None:
    extras = re.findall(r'"\.\[(\w+)\]"', PAGE)
    assert extras
    for extra in extras:
        assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for command in COMMANDS:
        if command[0].startswith(("scripts/", "./scripts/")):
            run = (
                ROOT / "tests" / "conformance" / "run_autobahn.py"
            )  # which gets the script's flags
            text = (ROOT / command[0]).read_text() + run.read_text()
            for flag in (word for word in command if word.startswith("--")):
                assert flag in text, command
