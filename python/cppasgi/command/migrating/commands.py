"""Finds what a command runs, through ``exec``, ``sudo -u``, ``bash -c`` and the like."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from cppasgi.command.migrating import shell
from cppasgi.command.migrating.marks import Marks
from cppasgi.command.migrating.shell import Command, Word
from cppasgi.command.migrating.wrappers import (
    BY_NAME,
    LOOKUPS,
    SHELLS,
    STRINGS,
    USERS_AND_GROUPS,
    WRAPPERS,
)

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:\[[@*]\])?(?::?[-=]([^}]*))?\})")
_KEYWORDS = ("if", "then", "elif", "else", "while", "until", "do", "!", "{", "coproc")
_NO_COMMANDS = ("for", "case", "select", "function", "alias", "[", "[[", "test")
_DECLARATIONS = ("export", "readonly", "local", "declare", "typeset")
_APPLICATION = re.compile(r"[\w.$-]+:[\w.$-]+")
KNOWS_THE_PROCESS = "which knows the process by its name"
ALONE = "alone, without an application, it may be a word that another program knows"


def mentions_application(words: Sequence[str]) -> bool:
    """Whether what looks as an application does on Daphne's command line is among the words."""
    return any(_APPLICATION.fullmatch(part) for word in words for part in word.split())


def _are_arguments(words: Sequence[str]) -> bool:
    """Whether the words may be Daphne's: "daphne is a nymph" is no command.

    So in ``sudo --unheard-of daphne daphne -p 80`` the first is no command either.
    """
    return bool(words) and bool(re.match(r"[-$`]", words[0]) or _APPLICATION.fullmatch(words[0]))


class Finder:
    """Claims the marks that are programs, in the commands it is shown."""

    def __init__(
        self, marks: Marks, write_file: Callable[[str, str], object] | None = None
    ) -> None:
        """Takes what reads a file that a script writes, by its name and text."""
        self.marks = marks
        self._write_file = write_file
        self._variables: dict[str, list[str | list[Word]]] = {}
        self._run: dict[str, int] = {}
        self._functions: set[str] = set()

    def set_variable(self, name: str, value: str | list[Word]) -> None:
        """Notes the value of a variable, whose program is claimed if a command runs it."""
        self._variables.setdefault(self.marks.restored(name), []).append(value)

    def script(self, text: str, run: Sequence[str] = ()) -> None:
        """Looks through a whole script; the variables `run` are run by whoever reads it."""
        self.shell(text)
        self.look_at_variables(text, run)

    def look_at_variables(self, text: str, run: Sequence[str] = ()) -> None:
        """Looks at the values of variables that the commands, which were all in `text`, run."""
        self._run.update(dict.fromkeys(run, 0))
        written = self.marks.restored(text)
        for name in list(self._run):
            uses = len(re.findall(rf"\$\{{?{name}\b", written))
            for value in self._variables.get(name, ()):
                if isinstance(value, list):
                    self.words(value, alone=True)
                elif name in run or "/" in value or " " in value or uses == self._run[name]:
                    self.shell(value, alone=True)

    def shell(self, text: str, *, alone: bool = False) -> None:
        """Looks through the commands of a text; `alone`: they need no arguments."""
        script = shell.parse(text)
        self._functions.update(map(self.marks.restored, script.functions))
        for name in script.functions:
            self.marks.leave(name, "the name of a function")
        for pattern in script.patterns:
            self.marks.leave(pattern, "a pattern of a case")
        for name, lists in script.arrays.items():
            for words in lists:
                self.set_variable(name, words)
        for command in script.commands:
            self._command(command, alone)
        for name, lists in script.arrays.items():
            for words in lists:
                self._leave(words, f"the value of {name}, which no command here runs")

    def argv(self, words: Sequence[str], *, alone: bool = False) -> None:
        """Looks at a command that is a list of words already."""
        self.words([Word(word) for word in words], alone=alone)

    def _command(self, command: Command, alone: bool) -> None:
        for word in command.words:
            for inside in word.inside:
                self._command(inside, alone=False)
        self.words(command.words, alone=alone, by_shell=True)
        values = [word.value for word in command.words]
        programs = [value.rsplit("/", 1)[-1] for value in values]
        runs = not values or any(program in (*SHELLS, "ssh") for program in programs)
        target = command.target
        if "tee" in programs:
            target = next((value for value in reversed(values) if "/" in value), target)
        for document in command.documents:
            if runs:
                self.shell(document)
            elif target and self._write_file:
                self._write_file(target, document)
            self.marks.leave(document, "a here-document that is no command")
        self.marks.leave(command.target, "the name of a file")

    def words(self, words: list[Word], *, alone: bool = False, by_shell: bool = False) -> None:
        """Looks at one command; `by_shell`: it may be the name of a function."""
        while words and words[0].value in _KEYWORDS:
            words = words[1:]
        while words and (found := _ASSIGNMENT.fullmatch(words[0].value)):
            self._assign(found)
            words = words[1:]
        if not words:
            return
        head = words[0].value
        name = head.rsplit("/", 1)[-1]
        arguments = [word.value for word in words[1:]]
        if head in _DECLARATIONS:
            for argument in arguments:
                if found := _ASSIGNMENT.fullmatch(argument):
                    self._assign(found)
        elif self.marks.is_program(head):
            if by_shell and self.marks.restored(head) in self._functions:
                self.marks.leave(head, "calls the function of that name")
            else:
                self._program(head, arguments, alone)
        elif variable := _VARIABLE.match(head):
            self._variable(variable, head, words)
        elif self._looks_up(words[0]):
            if _are_arguments(arguments):
                self.marks.claim(words[0].inside[0].words[-1].value)
        elif name in ("docker", "podman") and arguments[:1] == ["compose"]:
            self.words([Word("docker-compose"), *words[2:]], alone=alone)
        elif head not in _NO_COMMANDS and not self._only_looks(name, arguments):
            self._wrapped(name, words, arguments, alone)
        shown = self.marks.restored(name)
        self._leave(words[:1], "part of another name")
        for before, word in itertools.pairwise(words):
            known = name in BY_NAME and before.value not in USERS_AND_GROUPS
            known = known or (name == "start-stop-daemon" and before.value in ("-n", "--name"))
            reason = KNOWS_THE_PROCESS if known else "not a command"
            self._leave([word], f"an argument of {shown}, {reason}")

    def _leave(self, words: list[Word], reason: str) -> None:
        for word in words:
            self.marks.leave(word.value, reason)

    def _program(self, word: str, arguments: Sequence[str], alone: bool = False) -> None:
        if _are_arguments(arguments) or (alone and not arguments):
            self.marks.claim(word)
        elif arguments:
            self.marks.leave(word, "without an option or an application it isn't the command")
        else:
            self.marks.leave(word, ALONE)

    def _assign(self, found: re.Match[str]) -> None:
        self.set_variable(found[1], found[2])
        name = self.marks.restored(found[1])
        self.marks.leave(found[1], "the name of a variable")
        self.marks.leave(found[0], f"the value of {name}, which no command here runs")

    def _variable(self, variable: re.Match[str], head: str, words: list[Word]) -> None:
        if variable.end() == len(head):
            name = self.marks.restored(variable[1] or variable[2])
            self._run[name] = self._run.get(name, 0) + 1
            if variable[3] and self.marks.is_program(variable[3]):
                self._program(variable[3], [word.value for word in words[1:]])
            self._module(words)
        elif self.marks.is_program(head):
            self._program(head, [word.value for word in words[1:]])
        elif re.search(r"/(python|pypy)[\d.]*$", head):
            self._module(words)

    def _looks_up(self, word: Word) -> bool:
        """Whether the word is ``$(which daphne)``."""
        if len(word.inside) != 1 or not word.value.startswith(("$(", "`")):
            return False
        inside = [part.value for part in word.inside[0].words]
        return bool(inside) and inside[0] in LOOKUPS and self.marks.is_program(inside[-1])

    def _only_looks(self, name: str, arguments: list[str]) -> bool:
        """Whether the command only tells where another one is."""
        return name == "command" and arguments[:1] in (["-v"], ["-V"])

    def _module(self, words: list[Word]) -> None:
        """Looks for ``-m daphne``, or a path to it, among the words of an interpreter."""
        for position, word in enumerate(words[:-1]):
            module = words[position + 1].value
            if re.fullmatch(r"-[A-Za-z]*m", word.value) and self.marks.is_name(module):
                self._program(module, [word.value for word in words[position + 2 :]])
                return
        for position, word in enumerate(words[1:], 1):
            joined = re.match(r"-[A-Za-z]*?m(?=\w)", word.value)
            if joined and self.marks.is_name(word.value[joined.end() :]):
                self._program(
                    word.value[joined.end() :],
                    [argument.value for argument in words[position + 1 :]],
                )
                return
            if word.value.startswith("-"):
                continue
            folder = word.value.rsplit("/", 1)[0]
            if folder.endswith("bin") and self.marks.is_program(word.value):
                self._program(word.value, [argument.value for argument in words[position + 1 :]])
            elif self._looks_up(word):
                self.marks.claim(word.inside[0].words[-1].value)
            return

    def _wrapped(self, name: str, words: list[Word], arguments: list[str], alone: bool) -> None:
        if re.match(r"python|pypy|coverage$|debugpy$|memray$|kernprof$", name):
            self._module(words)
        elif name in SHELLS:
            for position, argument in enumerate(arguments[:-1]):
                if re.fullmatch(r"-[A-Za-z]*c", argument):
                    self.shell(arguments[position + 1], alone=alone)
                    break
        if name == "start-stop-daemon":
            self._started_daemon(words[1:])
        if name in STRINGS:
            self._strings(STRINGS[name], arguments)
        wrapper = WRAPPERS.get(name)
        if wrapper is None and name.startswith(("wait-for", "wait_for", "waitfor")):
            wrapper = WRAPPERS["kubectl"]
        if wrapper and (start := wrapper.command(arguments)) is not None:
            self.words(words[1 + start :], alone=alone)

    def _strings(self, options: tuple[str, ...] | None, arguments: list[str]) -> None:
        for position, argument in enumerate(arguments):
            is_value = options is not None and position > 0 and arguments[position - 1] in options
            if is_value or (options is None and " " in argument):
                self.shell(argument)

    def _started_daemon(self, words: list[Word]) -> None:
        for position, word in enumerate(words):
            option, _, value = word.value.partition("=")
            if option in ("--exec", "--startas", "-x", "-a"):
                if not value and position + 1 < len(words):
                    value = words[position + 1].value
                self.words([Word(value)], alone=True)
