"""Finds the commands in YAML, JSON and TOML: of Compose, Kubernetes, CI, Ansible, npm and others.

A document is read into mappings (`Pairs`), lists and strings. A value is a command by its key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from cppasgi.command.migrating import shell
from cppasgi.command.migrating.commands import Finder, mentions_application
from cppasgi.command.migrating.marks import Marks
from cppasgi.settings import toml

_LINES = frozenset(
    (
        "script",
        "scripts",
        "before_script",
        "after_script",
        "run",
        "cmds",
        "commands",
        "runcmd",
        "bootcmd",
        "processes",
        "tasks",
        "container_commands",
    )
)
"""Keys of commands, each a line for a shell; those of a mapping have names of their own."""
_COMMANDS = _LINES | frozenset(
    (
        "command",
        "entrypoint",
        "argv",
        "cmd",
        "shell",
        "raw",
        "exec",
        "entry",
        "start",
        "serve",
        "startcommand",
        "start_command",
        "runcommand",
        "run_command",
        "postcreatecommand",
        "poststartcommand",
        "postattachcommand",
        "test",
    )
)
_ONE_COMMAND = ("command", "cmd", "entrypoint", "argv")
"""Keys whose value is one command, however many lines it has, to some that read it."""
_ENTRY_SCRIPT = re.compile(r"\.sh$|entry_?-?point", re.IGNORECASE)


class Pairs(list[tuple[str, Any]]):
    """A mapping, in which a key may stand several times, as in the branches of a template."""

    def all(self, *names: str) -> list[Any]:
        """The values of the keys, in any case."""
        return [value for key, value in self if key.lower() in names]


def read_yaml(text: str) -> list[Any]:
    """Reads the documents of a YAML stream, whatever their tags.

    Raises:
        ValueError: it isn't YAML, or there is nothing to read it with.
    """
    try:
        import yaml
    except ImportError:
        return _read_with_ruamel(text)
    try:
        return [_plain(node, {}) for node in yaml.compose_all(text, Loader=yaml.SafeLoader)]
    except yaml.YAMLError as error:
        raise ValueError(f"is no YAML: {_one_line(error)}") from None


def _read_with_ruamel(text: str) -> list[Any]:
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError
    except ImportError:
        raise ValueError("is YAML; to read it, pip install pyyaml") from None
    try:
        return [_plain(node, {}) for node in YAML(typ="safe", pure=True).compose_all(text)]
    except YAMLError as error:
        raise ValueError(f"is no YAML: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"{problem}, line {mark.line + 1}" if mark else problem


def _plain(node: Any, known: dict[int, Any]) -> Any:
    if id(node) in known:
        return known[id(node)]
    if getattr(node, "id", None) == "mapping":
        pairs = known[id(node)] = Pairs()
        for key, value in node.value:
            pairs.append((str(_plain(key, known)), _plain(value, known)))
        return pairs
    if getattr(node, "id", None) == "sequence":
        items: list[Any] = []
        known[id(node)] = items
        items += [_plain(item, known) for item in node.value]
        return items
    return str(node.value) if node is not None else ""


def read_json(text: str) -> list[Any]:
    """Reads JSON, also with comments and commas at ends, as editors write it.

    Raises:
        ValueError: it is neither.
    """
    try:
        return [json.loads(text, object_pairs_hook=Pairs)]
    except json.JSONDecodeError as error:
        token = r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])'
        bare = re.sub(token, lambda found: found[1] or "", text, flags=re.DOTALL)
        try:
            return [json.loads(bare, object_pairs_hook=Pairs)]
        except json.JSONDecodeError:
            raise ValueError(f"is no JSON: {error.msg}, line {error.lineno}") from None


def read_toml(text: str) -> list[Any]:
    """Reads TOML.

    Raises:
        ValueError: it isn't TOML.
    """
    try:
        return [_paired(toml.loads(text))]
    except ValueError as error:
        raise ValueError(f"is no TOML: {error}") from None


def _paired(value: Any) -> Any:
    if isinstance(value, dict):
        return Pairs((key, _paired(item)) for key, item in value.items())
    return [_paired(item) for item in value] if isinstance(value, list) else value


class DocumentReader:
    """Finds the commands of a document."""

    def __init__(self, marks: Marks, file: Callable[[str, str], bool]) -> None:
        """Takes what reads a file within the file: false if its name tells no kind."""
        self._marks = marks
        self._finder = Finder(marks, file)
        self._file = file
        self._seen: set[tuple[int, str]] = set()

    def read(self, documents: Iterable[Any]) -> None:
        """Looks through documents."""
        for document in documents:
            self._visit(document, "")

    def _visit(self, value: Any, path: str) -> None:
        key = path.rsplit(".", 1)[-1].lower()
        if isinstance(value, Pairs):
            if (id(value), key) not in self._seen:
                self._seen.add((id(value), key))
                self._mapping(value, key, path)
        elif isinstance(value, list):
            if (id(value), key) not in self._seen:
                self._seen.add((id(value), key))
                self._list(value, key, path)
        elif isinstance(value, str):
            if key in _COMMANDS:
                self._finder.script(value)
            if key in _ONE_COMMAND:
                self._finder.shell(" ".join(value.split("\n")))
            self._leave(value, f"the value of {path}, not a command" if path else "a text")

    def _leave(self, text: str, reason: str) -> None:
        self._marks.leave(text, self._marks.restored(reason))

    def _mapping(self, pairs: Pairs, key: str, path: str) -> None:
        rest_of = self._container(pairs)
        for name in ("path", "dest"):
            for target in pairs.all(name):
                for content in pairs.all("content"):
                    if isinstance(target, str) and isinstance(content, str):
                        self._file(target, content)
        for name, value in pairs:
            below = f"{path}.{name}".lstrip(".")
            if isinstance(value, str):
                if key in _LINES:
                    self._finder.script(value)
                else:
                    self._file(name, value)
            self._leave(name, f"the key {below}, not a command")
            # What another key begins isn't a command by itself.
            self._visit(value, f"{below}[]" if name.lower() == rest_of else below)

    def _container(self, pairs: Pairs) -> str:
        """Looks at what one key begins and another goes on with.

        Returns:
            The latter.
        """
        commands = pairs.all("command")
        if pairs.all("args"):
            rest_of = "args"
            heads, tails = (
                pairs.all("command", "entrypoint", "script", "program"),
                pairs.all("args"),
            )
        else:
            rest_of = "command"
            heads, tails = pairs.all("entrypoint"), commands
        heads = [words for head in heads if (words := _words(head))]
        tails = [words for tail in tails if (words := _words(tail)) is not None]
        for module in pairs.all("module"):  # of a debugger's launch.json
            if isinstance(module, str) and self._marks.is_name(module) and pairs.all("args"):
                self._marks.claim(module)
        for tail in tails or [[]]:
            for head in heads:
                self._finder.argv([*head, *tail], alone=True)
                if _ENTRY_SCRIPT.search(head[0]) or mentions_application(tail):
                    self._finder.argv(tail)
            if rest_of == "args" and not heads:
                self._finder.argv(tail)
        return rest_of if heads else ""

    def _list(self, values: list[Any], key: str, path: str) -> None:
        strings = [value for value in values if isinstance(value, str)]
        if key in _COMMANDS and strings and len(strings) == len(values):
            if key in _LINES or " " in strings[0]:
                for string in strings:
                    self._finder.script(string)
            else:
                self._finder.argv(strings[1:] if strings[0] == "CMD" else strings)
        for value in values:
            if isinstance(value, list) and key in _LINES and (words := _words(value)):
                self._finder.argv(words)
            self._visit(value, f"{path}[]")


def _words(value: Any) -> list[str] | None:
    """The words of a command, whether it is a list or a string; None for other things."""
    if isinstance(value, str):
        return [word.value for command in shell.parse(value).commands for word in command.words]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None
