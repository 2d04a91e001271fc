"""Every "daphne" of a text as a word of its own, so that parsers can tell where each stands.

Most parsers, such as tomllib and configparser, don't say where in the file a value stood. So each
"daphne" is replaced by a mark, six letters and digits with its number, before the text is parsed.
What comes out of the parser tells by its marks which occurrences it holds. A mark that comes out
nowhere stood in a comment. The text itself is only changed where a mark was claimed, so all else
stays as it is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

_MOST = 9999


class Marks:
    """The occurrences of "daphne" in a text, in any case, and what is to become of each."""

    def __init__(self, text: str) -> None:
        """Finds the occurrences.

        Raises:
            ValueError: there are more than marks have numbers.
        """
        self._text = text
        self._spans = [found.span() for found in re.finditer("daphne", text, re.IGNORECASE)]
        if len(self._spans) > _MOST:
            raise ValueError(f"names daphne more than {_MOST} times")
        lower = text.lower()
        pairs = map("".join, itertools.product("qzxjkvwy", repeat=2))
        prefix = next((pair for pair in pairs if pair not in lower), None)
        if prefix is None:
            raise ValueError("has every pair of letters that a mark could begin with")
        self._pattern = re.compile(rf"{prefix}(\d{{4}})")
        self._prefix = prefix
        self._claimed: set[int] = set()
        self._reasons: dict[int, str] = {}

    def __bool__(self) -> bool:
        """Whether the text names daphne at all."""
        return bool(self._spans)

    @property
    def marked(self) -> str:
        """The text with marks, for parsers: with a line feed alone at the ends of lines.

        Bytes that aren't UTF-8 are there as U+FFFD, for as they are read no parser takes them.
        """
        text = self._replaced(lambda number: f"{self._prefix}{number:04d}").replace("\r\n", "\n")
        return re.sub(r"[\udc80-\udcff]", "\ufffd", text)

    @property
    def changed(self) -> str:
        """The text with "cppasgi" wherever a mark was claimed."""
        return self._replaced(lambda number: "cppasgi" if number in self._claimed else None)

    def _replaced(self, word: Callable[[int], str | None]) -> str:
        parts: list[str] = []
        end = 0
        for number, (start, stop) in enumerate(self._spans):
            new = word(number)
            parts += [self._text[end:start], self._text[start:stop] if new is None else new]
            end = stop
        return "".join([*parts, self._text[end:]])

    def is_name(self, word: str) -> bool:
        """Whether the word is "daphne", in lower case, and nothing else."""
        found = self._pattern.fullmatch(word)
        return found is not None and self._written(int(found[1])) == "daphne"

    def is_program(self, word: str) -> bool:
        """Whether the word is "daphne" or a path to it."""
        return self.is_name(word.rsplit("/", 1)[-1])

    def claim(self, word: str) -> None:
        """Has the last mark of the word changed: it starts the server, or is the application."""
        self._claimed.add(int(self._pattern.findall(word)[-1]))

    def leave(self, text: str, reason: str) -> None:
        """Says why marks in the text are left, unless they are claimed or it was said before."""
        for number in self._pattern.findall(text):
            self._reasons.setdefault(int(number), reason)

    def restored(self, text: str) -> str:
        """A text with marks as it was written."""
        return self._pattern.sub(lambda found: self._written(int(found[1])), text)

    def _written(self, number: int) -> str:
        start, stop = self._spans[number]
        return self._text[start:stop]

    def left(self, otherwise: str) -> Iterator[tuple[int, str, str]]:
        """What is left of each line that names daphne: its number, the reason, the line.

        `otherwise` is the reason where no reader gave one and the line itself tells none.
        """
        told = counted = 0
        line = 1
        for number, (start, _) in enumerate(self._spans):
            line += self._text.count("\n", counted, start)
            counted = start
            if number in self._claimed or line == told:
                continue
            told = line
            begin = self._text.rfind("\n", 0, start) + 1
            stop = self._text.find("\n", start)
            whole = self._text[begin : stop if stop >= 0 else None].strip()
            before = self._text[begin:start]
            yield line, self._reasons.get(number) or _reason(whole, before) or otherwise, whole


def _reason(line: str, before: str) -> str:
    """What the line tells about an occurrence of which no reader has said anything."""
    if re.match(r"\s*(#|;|//|--|\.\.\s)", line) or re.search(r"\s(#|;|//)", before):
        return "a comment"
    if re.match(r"(-\s+)?['\"]?daphne\s*(\[[^]]*\])?\s*([=<>~!^@;,'\"]|$)", line, re.IGNORECASE):
        return "a requirement"
    return ""
