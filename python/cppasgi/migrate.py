"""``cppasgi migrate FILE...``: turns what starts Daphne into what starts cppasgi.

For start scripts, systemd units, Procfiles, Dockerfiles, Compose and supervisor files, and for
INSTALLED_APPS in Django's settings. Only the word ``daphne`` changes, and only where it is a
command or all of a quoted string; users, units and files keep their names. What is left is shown,
and what Daphne does there and cppasgi doesn't.

Exit statuses: 0 done, 1 a file can't be read or written, 2 wrong command line.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_BEFORE_A_COMMAND = r"""
    ^\s* (?:-\s+)?                             # the line, or the item of a list
    (?: [\w-]+ : \s* | (?:Exec\w+ | command) \s* = \s* [-@+!]* )?    # "web:", "ExecStart=-"
    (?: (?:RUN|CMD|ENTRYPOINT) \s+ )?
    (?: [^#]* (?: && | \|\| | [;|(] | \b(?:then|do|else)\s ) \s* )?
    (?: (?: (?:\S*/)? (?:exec|sudo|nohup|env|time|nice|python[\d.]*)
         | -m | \w+=\S* | (?:poetry|pipenv|uv|pdm)\s+run ) \s+ )*
    (?: [^\s'"=:]*/ )?                         # its folder
"""
_COMMAND = re.compile(rf"({_BEFORE_A_COMMAND}) daphne (?= \s+\S | \s*\\$ )", re.VERBOSE)
_QUOTED = re.compile(r"""((["'])(?:[^"'\s]*/)?)daphne(?=\2)""")
_WORD = re.compile(r"(?<![\w.-])daphne(?![\w-])", re.IGNORECASE)

_NOT_CARRIED_OVER = (
    (
        re.compile(r"(?<![\w.+-])(ssl|tls|haproxy):(?=[\w\\])"),
        "{0} endpoints are not supported yet, and with one the server doesn't start: let a proxy "
        "in front end TLS",
    ),
    (
        re.compile(r"^(?!.*--forwarded-allow-ips).*--proxy-headers(?![\w-])"),
        "proxies on other machines are believed only if --forwarded-allow-ips names them",
    ),
)
"""What means something else, or nothing, to cppasgi: how it is found in a line, and what to say."""


def migrate(text: str) -> str:
    """Replaces ``daphne`` by ``cppasgi`` in the text of a file, where it is what starts the server.

    Comments stay. Line ends and everything else are kept as they are.
    """
    return "".join(_migrate_line(line) for line in text.splitlines(keepends=True))


def _migrate_line(line: str) -> str:
    if line.lstrip().startswith("#"):
        return line
    while (changed := _COMMAND.sub(r"\1cppasgi", line)) != line:
        line = changed
    return _QUOTED.sub(r"\1cppasgi", line)


def _mentions(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if _WORD.search(line) and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _losses(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        for pattern, note in _NOT_CARRIED_OVER:
            if found := pattern.search(line):
                yield number, note.format(*found.groups())


def main(args: Sequence[str]) -> None:
    """Runs the subcommand.

    Raises:
        SystemExit: with the statuses above, unless all is well.
    """
    parser = argparse.ArgumentParser(
        prog="cppasgi migrate",
        description="Shows as a diff how files that start Daphne would start cppasgi instead.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
    parser.add_argument(
        "--write", action="store_true", help="change the files; each is kept as FILE.daphne"
    )
    options = parser.parse_args(args)
    failed = False
    for path in options.files:
        try:
            _migrate_file(path, options.write)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            print(f"cppasgi migrate: {path}: {reason}", file=sys.stderr)
            failed = True
    if failed:
        sys.exit(1)


def _migrate_file(path: Path, write: bool) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        old = file.read()
    new = migrate(old)
    if new == old:
        print(f"{path}: nothing starts Daphne here", file=sys.stderr)
    elif write:
        backup = path.with_name(f"{path.name}.daphne")
        if backup.exists():
            raise FileExistsError(None, f"the backup {backup} exists already")
        shutil.copy2(path, backup)
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(new)
        print(f"{path}: changed; the old file is {backup}", file=sys.stderr)
    sys.stdout.writelines(_diff(path, old, new))
    for number, note in _losses(new) if new != old else ():
        print(f"{path}:{number}: not carried over: {note}", file=sys.stderr)
    for number, line in _mentions(new):
        print(f"{path}:{number}: left as it is: {line}", file=sys.stderr)


def _diff(path: Path, old: str, new: str) -> Iterator[str]:
    for line in difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), str(path), str(path)
    ):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
