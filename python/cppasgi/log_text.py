"""What of others' text reaches the server log: as in the access log (server/base/log_text.h)."""

from __future__ import annotations

import logging

_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_LINES = {"\n", "\t"}
_ESCAPES = {code: f"\\x{code:02X}" for code in _CONTROLS if chr(code) not in _LINES}
JSON_ESCAPES = {code: f"\\u{code:04x}" for code in _CONTROLS if code >= 0x7F}
"""Of the control characters that JSON allows in a string."""


def escaped(text: str) -> str:
    r"""A client's text for the middle of a line: quotes, and what isn't plain, as ``\xHH``."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02X}"
        for byte in text.encode(errors="surrogateescape")
    )


class LogFormatter(logging.Formatter):
    r"""As its base, but control characters other than newline and tab are ``\xHH``.

    So nothing of a record steers a terminal. It may still have several lines, as tracebacks do.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Makes the text."""
        return super().format(record).translate(_ESCAPES)
