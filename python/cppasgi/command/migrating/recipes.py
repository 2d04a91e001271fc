"""Finds the commands in Dockerfiles, Makefiles and justfiles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from cppasgi.command.migrating import shell
from cppasgi.command.migrating.commands import Finder, mentions_application
from cppasgi.command.migrating.marks import Marks

_HEREDOC = re.compile(r"<<-?[\"']?(\w+)")


def read_dockerfile(marks: Marks, text: str, file: Callable[[str, str], bool]) -> None:
    """Reads a Dockerfile: RUN, CMD, ENTRYPOINT and HEALTHCHECK, in both forms."""
    entry: list[str] = []
    for name, rest in _instructions(text):
        finder = Finder(marks, file)
        if name == "ONBUILD":
            name, _, rest = rest.partition(" ")
        if name == "HEALTHCHECK":
            rest = re.sub(r"^(--\S+\s+)*CMD\s+", "", rest)
        words = _exec_form(rest)
        if name == "FROM":
            entry = []
        elif name == "ENTRYPOINT":
            entry = words if words is not None else []
            finder.argv(words, alone=True) if words is not None else finder.script(rest)
        elif name == "CMD":
            if words is None:
                finder.script(rest)
                words = []
            if entry and words:
                finder.argv([*entry, *words], alone=True)
            if not entry or re.search(r"\.sh$|entry", entry[0]) or mentions_application(words):
                finder.argv(words)
        elif name in ("RUN", "HEALTHCHECK"):
            if words is not None:
                finder.argv(words)
            else:
                finder.script(re.sub(r"^(--\S+\s+)+", "", rest))
        elif name in ("COPY", "ADD") and _HEREDOC.search(rest):
            first, _, body = rest.partition("\n")
            file(first.split()[-1], body)
        marks.leave(rest, f"an argument of {name}, not a command")


def _instructions(text: str) -> list[tuple[str, str]]:
    """The instructions, with their here-documents and without comments and continued lines."""
    found = []
    lines = iter(text.split("\n"))
    continued = "`" if re.match(r"#\s*escape\s*=\s*`", text) else "\\"
    for line in lines:
        if line.lstrip().startswith("#") or not line.strip():
            continue
        parts = [line.rstrip()]
        while parts[-1].endswith(continued):
            parts[-1] = parts[-1][:-1]
            following = next(lines, None)
            # Comments and blank lines within a continued one count for nothing.
            while following is not None and re.match(r"\s*(#|$)", following):
                following = next(lines, None)
            if following is None:
                break
            parts.append(following.rstrip())
        name, _, rest = " ".join(parts).strip().partition(" ")
        document = []
        if name.upper() in ("RUN", "COPY", "ADD"):
            for end in _HEREDOC.findall(rest):
                for body in lines:
                    document.append(body)
                    if body.strip() == end:
                        break
        found.append((name.upper(), "\n".join([rest.strip(), *document])))
    return found


def _exec_form(text: str) -> list[str] | None:
    """The words of ``["a", "b"]``; None if it is a line for the shell."""
    try:
        words = json.loads(text)
    except ValueError:
        return None
    return words if isinstance(words, list) and all(isinstance(w, str) for w in words) else None


def read_makefile(marks: Marks, text: str) -> None:
    """Reads a Makefile or a justfile: the lines of recipes, and variables that they run."""
    finder = Finder(marks)
    recipes = []
    for line in re.sub(r"\\\n", " ", text).split("\n"):
        # ${NAME} is the same to make, and $(NAME) would be a command to the shell.
        line = re.sub(r"\$\((\w+)\)", r"${\1}", line).replace("$$", "$")
        if variable := re.match(r"(?:export\s+|override\s+)*([\w.-]+)\s*[:?+]*=\s*(.*)", line):
            finder.set_variable(variable[1], _unquoted(variable[2]))
            name = marks.restored(variable[1])
            marks.leave(variable[1], "the name of a variable")
            marks.leave(line, f"the value of {name}, which no recipe here runs")
        elif line[:1] in ("\t", " "):
            recipes.append(line.strip().lstrip("@-+ "))
        elif rule := re.match(r"[^#\s=][^#=]*?:[^;=]*;(.*)", line):
            recipes.append(rule[1])
        elif not line.startswith("#"):
            marks.leave(line, "the name of a target")
    for recipe in recipes:
        finder.shell(recipe)
    finder.look_at_variables("\n".join(recipes))


def _unquoted(value: str) -> str:
    words = [word.value for command in shell.parse(value).commands for word in command.words]
    return " ".join(words)
