"""Finds the commands in units of systemd, INI files of supervisor and circus, and Procfiles."""

from __future__ import annotations

import configparser
import re
from typing import Any

from cppasgi.command.migrating import shell
from cppasgi.command.migrating.commands import Finder
from cppasgi.command.migrating.marks import Marks

_INI_COMMANDS = ("command", "commands", "cmd", "attach-daemon", "smart-attach-daemon", "exec-asap")


def read_unit(marks: Marks, text: str) -> None:
    """Reads a unit of systemd or podman (systemd.syntax(7)): its Exec lines are commands."""
    finder = Finder(marks)
    lines = iter(text.split("\n"))
    for line in lines:
        if line.lstrip().startswith(("#", ";")):
            continue
        parts = [line]
        while parts[-1].endswith("\\"):
            parts[-1] = parts[-1][:-1]
            following = next(lines, "")
            while following.lstrip().startswith(("#", ";")):
                following = next(lines, "")
            parts.append(following)
        line = " ".join(parts)
        key, _, value = line.partition("=")
        if key.strip().startswith("Exec"):
            command = value.strip().lstrip("-@:+!|")
            if "@" in value.strip().removesuffix(command):
                # The second word is the name that the process gets.
                command = re.sub(r"^(\S+)\s+[^\s-]\S*", r"\1", command)
            finder.script(command)
        marks.leave(line, f"the value of {marks.restored(key.strip())}, not a command")


class _AllValues(dict[str, Any]):
    """What `configparser` keeps: all values of a key, as in the branches of a template."""

    def __setitem__(self, key: str, value: Any) -> None:
        former = self.get(key)
        if isinstance(value, list) and isinstance(former, list):
            former.extend(value)  # the parser joins the lines of a value at its end
        else:
            super().__setitem__(key, value)


def read_ini(marks: Marks, text: str) -> None:
    """Reads an INI file, such as supervisor's and circus's.

    Raises:
        ValueError: it isn't one.
    """
    parser = configparser.RawConfigParser(
        dict_type=_AllValues, strict=False, allow_no_value=True, inline_comment_prefixes=(";", "#")
    )
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(f"is no INI file: {' '.join(error.message.split())}") from None
    except AttributeError:  # of configparser itself, for a value that continues a bare key
        raise ValueError("is no INI file: a value without a key") from None
    finder = Finder(marks)
    for section in parser:
        marks.leave(section, "the name of a section")
        values = parser[section]
        for key in _INI_COMMANDS:
            if command := values.get(key):
                # In supervisor and circus it is one command, in tox.ini one on each line.
                finder.script(command)
                finder.shell(" ".join(command.split("\n")))
        if values.get("cmd") and values.get("args"):
            joined = f"{values['cmd']} {values['args']}"
            for parsed in shell.parse(joined).commands:
                finder.words(parsed.words, alone=True)
        for key, value in values.items():
            name = marks.restored(key)
            marks.leave(f"{key} {value}", f"the value of {name}, not a command")


def read_procfile(marks: Marks, text: str) -> None:
    """Reads a Procfile, whose lines are ``name: command``."""
    finder = Finder(marks)
    for line in text.split("\n"):
        if found := re.match(r"\s*([\w-]+)\s*:\s*(.*)", line):
            finder.script(found[2])
            marks.leave(found[1], "the name of a process")
