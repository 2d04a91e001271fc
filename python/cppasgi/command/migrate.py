"""``cppasgi migrate FILE...``: turns what starts Daphne into what starts cppasgi.

For Dockerfiles, Compose and Kubernetes files, systemd units, Procfiles, supervisor and circus,
npm, Makefiles, shell scripts, CI, templates of all of them, and for INSTALLED_APPS in Django's
settings. Only the word ``daphne`` changes, and only where it is a command or an application:
users, units, labels, requirements and files keep their names. What is left is shown with the
reason, and what Daphne does there and cppasgi doesn't.

Exit statuses: 0 done, 1 a file can't be read or written, 2 wrong command line.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cppasgi.command.migrating import files, kinds
from cppasgi.command.migrating.commands import KNOWS_THE_PROCESS
from cppasgi.command.migrating.marks import Marks

_NAME_OF_PROCESS = "the command is cppasgi now, and this doesn't find it by the name daphne"
_NOT_CARRIED_OVER = (
    (re.compile(r"(?<!\w)ps\s[^|;&]*\|\s*[ef]?grep\b.*\[?d\]?aphne"), _NAME_OF_PROCESS),
    (
        re.compile(r"(?<![\w.+-])(ssl|tls):(?=[\w\\])"),
        "{0} endpoints are not supported yet, and with one the server doesn't start: let a proxy "
        "in front end TLS",
    ),
    (
        re.compile(r"^(?!.*--forwarded-allow-ips).*--proxy-headers(?![\w-])"),
        "proxies on other machines are believed only if --forwarded-allow-ips names them",
    ),
)
"""What means something else, or nothing, to cppasgi: how it is found in a line, and what to say."""


def migrate(name: str, text: str) -> tuple[str, list[tuple[int, str, str]]]:
    """Changes what starts Daphne in the text of a file of that name.

    Returns:
        The new text, and of what is left of Daphne in it the line's number, why, and the line.

    Raises:
        ValueError: the text isn't what the name says.
    """
    marks = Marks(text)
    known = True
    if marks:
        try:
            known = kinds.read(marks, name, marks.marked)
        except (MemoryError, RecursionError):
            raise ValueError("is nested too deeply") from None
    reason = "a text, or a name" if known else "not a kind of file that starts a server"
    return marks.changed, list(marks.left(reason))


def _losses(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
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
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--write", action="store_true", help="change the files; each is kept as FILE.daphne"
    )
    group.add_argument(
        "--undo",
        action="store_true",
        help="bring back what --write kept, unless the file was changed since",
    )
    options = parser.parse_args(args)
    failed = False
    for path in options.files:
        try:
            if options.undo:
                _undo(path)
            else:
                _migrate_file(path, options.write)
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            print(f"cppasgi migrate: {path}: {reason}", file=sys.stderr)
            failed = True
    if failed:
        sys.exit(1)


def _undo(path: Path) -> None:
    """Brings the old text back, but only in place of what this module made of it."""
    real = path.resolve(strict=True)
    backup = files.backup_of(real)
    if not backup.exists():
        print(f"{path}: nothing to undo, for there is no {backup}", file=sys.stderr)
        return
    present, kept = real.read_bytes(), files.read(backup)
    # The kind of a file is in its name, and a link to it may have another.
    made = [migrate(name, kept.text)[0] for name in dict.fromkeys((path.name, real.name))]
    if present not in [kept.encoded(text) for text in made if text != kept.text]:
        raise ValueError(
            f"isn't what migrate makes of {backup}: it was changed since, or that is no backup of "
            "it; both stay as they are, so compare them and bring back by hand what you need"
        )
    files.undo(real)
    print(f"{path}: as it was, from {backup}", file=sys.stderr)


def _migrate_file(path: Path, write: bool) -> None:
    file = files.read(path)
    old = file.text
    new, left = migrate(path.name, old)
    if new == old:
        print(f"{path}: nothing starts Daphne here", file=sys.stderr)
    elif write:
        backup = files.write(file, new)
        changed = path if not path.is_symlink() else f"{file.path}, to which {path} leads"
        print(f"{changed}: changed; the old file is {backup}", file=sys.stderr)
    for line in _diff(path, old, new):
        sys.stdout.write(_printable(line))
    for number, note in _losses(new) if new != old else ():
        print(f"{path}:{number}: not carried over: {note}", file=sys.stderr)
    for number, reason, _ in left:
        if KNOWS_THE_PROCESS in reason or re.search("(allow|white)list_externals", reason):
            print(f"{path}:{number}: not carried over: {_NAME_OF_PROCESS}", file=sys.stderr)
    for number, reason, line in left:
        print(_printable(f"{path}:{number}: left as it is ({reason}): {line}"), file=sys.stderr)


def _printable(line: str) -> str:
    """A line without the bytes that weren't UTF-8."""
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _diff(path: Path, old: str, new: str) -> Iterator[str]:
    for line in difflib.unified_diff(_lines(old), _lines(new), str(path), str(path)):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """The lines as diff and other tools count them, each with its end."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
