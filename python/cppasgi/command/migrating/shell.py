"""The commands of a shell script: words without their quotes, what they run inside, what they set.

`shlex` splits one line of words. It knows no ends of commands, no ``$(...)``, no here-documents,
and it takes the ``#`` within a word for a comment, so scripts are read here. Nothing is expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLAIN = re.compile(r"[^\s;&|()<>'\"\\$`]*")
_QUOTED = re.compile(r"[^\"\\$`]*")
_LITERAL = re.compile(r"\$'((?:[^'\\]|\\.)*)'?", re.DOTALL)


@dataclass
class Word:
    """A word: ``"$DIR"/x`` is ``$DIR/x``."""

    value: str = ""
    inside: list[Command] = field(default_factory=list)
    """The commands of its ``$(...)`` and backquotes."""


@dataclass
class Command:
    """A simple command, with its assignments and keywords still in front."""

    words: list[Word] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    """Its here-documents."""
    target: str = ""
    """The file that its output goes to."""


@dataclass
class Script:
    """What a script holds."""

    commands: list[Command] = field(default_factory=list)
    arrays: dict[str, list[list[Word]]] = field(default_factory=dict)
    """The words of each ``NAME=(...)``."""
    functions: list[str] = field(default_factory=list)
    patterns: list[str] = field(default_factory=list)
    """What stands before the ``)`` in a ``case``."""


def parse(text: str) -> Script:
    """Reads a script, however broken it is."""
    reader = _Reader(text)
    while reader.position < len(text):
        reader.commands(reader.script.commands)
        reader.position += 1  # a parenthesis that nothing opened
    return reader.script


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.script = Script()
        self._documents: list[tuple[str, Command]] = []

    def _at(self, token: str) -> bool:
        return self.text.startswith(token, self.position)

    def commands(self, into: list[Command]) -> None:
        """Reads up to the ``)`` that ends this list of commands, or to the end of the text."""
        command = Command()
        cases: list[bool] = []  # of each open `case`: whether a pattern is next
        while True:
            self._skip_blanks()
            in_test = command.words[:1] and command.words[0].value == "[["
            if self.position >= len(self.text) or (self._at(")") and not (cases and cases[-1])):
                break
            character = self.text[self.position]
            if cases and cases[-1] and character != "\n":
                if self._at("("):
                    self.position += 1
                    continue
                if self._at("esac"):
                    cases.pop()
                    self.position += 4
                    continue
                self.script.patterns.append(self._up_to(")"))
                self.position += 1
                cases[-1] = False
            elif character == "\n":
                self.position += 1
                command = self._ended(command, into)
                self._read_documents()
            elif in_test and character in ";&|()<>":
                self.position += 1
            elif self._at(";;") or self._at(";&"):
                self.position += 3 if self._at(";;&") else 2
                command = self._ended(command, into)
                if cases:
                    cases[-1] = True
            elif character in "<>" or self._at("&>"):
                self._redirect(command)
            elif character in ";&|":
                self.position += 1
                command = self._ended(command, into)
            elif character == "(":
                self._parenthesis(command, into)
            else:
                command.words.append(self._word())
                first, last = command.words[0].value, command.words[-1].value
                if first == "case" and last == "in" and len(command.words) > 2:
                    command = self._ended(command, into)
                    cases.append(True)
                elif last == "esac" and cases:
                    cases.pop()
        self._ended(command, into)

    def _ended(self, command: Command, into: list[Command]) -> Command:
        if command.words or command.documents:
            into.append(command)
        return Command()

    def _skip_blanks(self) -> None:
        blank = re.compile(r"(?:[ \t\r]|\\\n)+")
        if found := blank.match(self.text, self.position):
            self.position = found.end()
        if self._at("#"):
            self._up_to("\n")

    def _parenthesis(self, command: Command, into: list[Command]) -> None:
        last = command.words[-1].value if command.words else ""
        adjacent = self.position > 0 and not self.text[self.position - 1].isspace()
        self.position += 1
        if last.endswith("=") and adjacent:
            words: list[Word] = []
            while self.position < len(self.text) and not self._at(")"):
                self._skip_blanks()
                if self.position < len(self.text) and self.text[self.position] in "\n;&|<>(":
                    self.position += 1
                elif not self._at(")") and self.position < len(self.text):
                    words.append(self._word())
            self.script.arrays.setdefault(last.rstrip("+="), []).append(words)
            self.position += 1
            command.words.pop()
            return
        if last and re.compile(r"\s*\)").match(self.text, self.position):
            self.script.functions.append(last)
            self.position = self.text.index(")", self.position) + 1
            command.words.clear()
            return
        self.commands(into)
        self.position += 1

    def _redirect(self, command: Command) -> None:
        if command.words and command.words[-1].value.isdigit():
            command.words.pop()
        found = re.compile(r"<<<|<<-?|&>>?|>>|>\||[<>]&?").match(self.text, self.position)
        assert found is not None
        self.position = found.end()
        if found[0] in ("<", ">") and self._at("("):
            self.position += 1
            self.commands(self.script.commands)
            self.position += 1
            return
        self._skip_blanks()
        if self.position >= len(self.text) or self.text[self.position] in "\n;|()":
            return
        target = self._word().value
        if found[0] in ("<<", "<<-"):
            self._documents.append((target, command))
        elif ">" in found[0]:
            command.target = target

    def _read_documents(self) -> None:
        for end, command in self._documents:
            lines = []
            while self.position < len(self.text):
                line = self._up_to("\n")
                self.position += 1
                if line.strip() == end:
                    break
                lines.append(line)
            command.documents.append("\n".join(lines))
        self._documents.clear()

    def _word(self) -> Word:
        word = Word()
        parts: list[str] = []
        begin = self.position
        while self.position < len(self.text) and self.text[self.position] not in " \t\r\n;&|()<>":
            if self._at("'"):
                self.position += 1
                parts.append(self._up_to("'"))
                self.position += 1
            elif self._at('"'):
                self.position += 1
                while self.position < len(self.text) and not self._at('"'):
                    parts.append(self._part(word, quoted=True))
                self.position += 1
            else:
                parts.append(self._part(word, quoted=False))
        self.position = max(self.position, begin + 1)
        word.value = "".join(parts)
        return word

    def _up_to(self, end: str) -> str:
        """Reads up to a string, or to the end of the text."""
        begin = self.position
        found = self.text.find(end, begin)
        self.position = len(self.text) if found < 0 else found
        return self.text[begin : self.position]

    def _part(self, word: Word, *, quoted: bool) -> str:
        """Reads what is written in one way: an escape, something expanded, or plain text."""
        begin = self.position
        if self._at("\\"):
            following = self.text[self.position + 1 : self.position + 2]
            self.position += 2
            if following == "\n":
                return ""
            return f"\\{following}" if quoted and following not in '"\\$`' else following
        if self._at("$'") and not quoted:
            literal = _LITERAL.match(self.text, self.position)
            assert literal is not None
            self.position = literal.end()
            return literal[1]
        if self._at("$((") or self._at("${"):
            end = "))" if self._at("$((") else "}"
            self._up_to(end)
            self.position += len(end)
        elif self._at("$("):
            self.position += 2
            self.commands(word.inside)
            self.position += 1
        elif self._at("`"):
            self.position += 1
            word.inside += parse(self._up_to("`")).commands
            self.position += 1
        else:
            plain = (_QUOTED if quoted else _PLAIN).match(self.text, self.position + 1)
            assert plain is not None
            self.position = plain.end()
        return self.text[begin : self.position]
