"""Header fields that an operator writes: what their names and values may be (RFC 9110 5)."""

from __future__ import annotations

import re

_SERVERS_OWN = (
    *("connection", "content-length", "date", "keep-alive", "sec-websocket-accept"),
    *("sec-websocket-extensions", "sec-websocket-protocol", "trailer"),
    *("transfer-encoding", "upgrade"),
)


def is_field_name(text: str) -> bool:
    """Whether it is the name of a header field."""
    return re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text) is not None


def header_value(name: str, value: str) -> str:
    """Checks a field (RFC 9110 5) and returns its value without the blanks around it.

    Raises:
        ValueError: it isn't one, or one by which the server itself frames and ends responses.
    """
    value = value.strip(" \t")
    if not is_field_name(name):
        raise ValueError(f"{name!r} is not the name of a header field")
    if name.lower() == "server":
        raise ValueError("the Server field is what --server-name says")
    if name.lower() in _SERVERS_OWN:
        raise ValueError(f"{name} is the server's own")
    if not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise ValueError(f"{value!r} is not the value of a header field")
    return value
