"""What the values of settings may be: functions from what somebody wrote to the value.

That is a text, or a value of the kind itself where a program or a file has one. Each function
raises a ValueError with a text that says what is wrong. Infinity is no limit, and neither is a time
that is longer than any process lives: nobody behind has to calculate with numbers that a clock
can't hold.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Callable
from typing import Any

from cppasgi.settings.endpoints import build_endpoint_description_strings

JSON_FORMAT = "json"
"""The value of ``--log-fmt`` that makes each line a JSON object."""

MOST = 2**31 - 1
_MOST_WORKERS = 1024
_LONGEST_SECONDS = 10**9
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")
_SERVERS_OWN = (
    *("connection", "content-length", "date", "keep-alive", "sec-websocket-accept"),
    *("sec-websocket-extensions", "sec-websocket-protocol", "trailer"),
    *("transfer-encoding", "upgrade"),
)
"""Fields by which the server itself frames and ends responses."""


def truth(value: Any) -> bool:
    """On or off, as a word or a value."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in (*_YES, *_NO):
        return value.lower() in _YES
    raise ValueError(f"{value!r} is neither true nor false")


def line(value: Any) -> str:
    """A text without control characters, that UTF-8 can hold; a path counts as its text."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise ValueError(f"{value!r} is not a text")
    if not text.isprintable():
        raise ValueError(f"{text!r} has characters that can't be printed")
    return text


def number(least: int, most: int = MOST) -> Callable[[Any], int]:
    """Makes the function for whole numbers from ``least`` to ``most``."""

    def in_range(value: Any) -> int:
        try:
            found = int(value) if isinstance(value, str) else int(value.__index__())
        except (ValueError, AttributeError):
            raise ValueError(f"{value!r} is not a whole number") from None
        if not least <= found <= most:
            raise ValueError(f"{value} is not between {least} and {most}")
        return found

    return in_range


port = number(0, 65535)


def workers(value: Any) -> int:
    """A number of processes; ``auto`` is that of the cores this process may use."""
    if value == "auto":
        from cppasgi.settings.cpus import usable_cpus

        return min(usable_cpus(), _MOST_WORKERS)
    return number(1, _MOST_WORKERS)(value)


def time_limit(value: Any) -> float:
    """A time in seconds, from 0 on."""
    try:
        seconds = float(value)
    except (ValueError, TypeError):
        raise ValueError(f"{value!r} is not a number of seconds") from None
    if math.isnan(seconds):
        raise ValueError(f"{value} is not a number of seconds")
    if seconds < 0:
        raise ValueError(f"{value} is less than 0 seconds")
    return math.inf if seconds > _LONGEST_SECONDS else seconds


def time_limit_or_none(value: Any) -> float:
    """A time from 0 on, or -1: with Daphne's flags that is no limit."""
    return -1 if str(value) in ("-1", "-1.0") else time_limit(value)


def one_of(*choices: Any) -> Callable[[Any], Any]:
    """Makes the function for one of some words."""

    def checked(value: Any) -> Any:
        if value not in choices:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, choices))}")
        return value

    return checked


def mode(value: Any) -> int:
    """Permissions of a socket, in octal digits; its owner may use it.

    So what a file of TOML has as 0o660, which comes as 432, isn't taken for other permissions. Only
    a program's own number is one.
    """
    text = value if isinstance(value, str) else f"{number(0)(value):o}"
    if not re.fullmatch(r"0?[67][0-7]{2}", text):
        raise ValueError(f"{text!r} are no permissions, such as 660")
    return int(text, 8)


def address(value: Any) -> str:
    """``HOST:PORT`` or ``unix:PATH:mode=MODE``, as the description of an endpoint.

    Without a mode only the user of the server may connect to the socket.
    """
    text = line(value)
    kind, _, rest = text.partition(":")
    path, has_mode, permissions = rest.partition(":mode=")
    if kind == "unix" and path:
        allowed = mode(permissions) if has_mode else 0o600
        return build_endpoint_description_strings(unix_socket=path, unix_socket_mode=allowed)[0]
    host, colon, number_of_port = text.rpartition(":")
    if not colon or not host or not number_of_port:
        raise ValueError(f"{text!r} is neither HOST:PORT nor unix:PATH")
    return build_endpoint_description_strings(host, port(number_of_port))[0]


def is_field_name(text: str) -> bool:
    """Whether it is the name of a header field (RFC 9110 5.1)."""
    return re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", text) is not None


def field_name(value: Any) -> str:
    """Name of a header field; empty is the default one, as with Daphne."""
    text = line(value) if value else ""
    if text and not is_field_name(text):
        raise ValueError(f"{text!r} is not the name of a header field")
    return text


def header(value: Any) -> tuple[str, str]:
    """A field of every response (RFC 9110 5): ``NAME:VALUE``, or name and value."""
    if isinstance(value, str):
        name, colon, content = value.partition(":")
        if not colon:
            raise ValueError(f"{value!r} is not of the form NAME:VALUE")
    else:
        try:
            name, content = value
        except (TypeError, ValueError):
            raise ValueError(f"{value!r} is not a pair of name and value") from None
    content = line_of_field(content)
    if not is_field_name(line(name)):
        raise ValueError(f"{name!r} is not the name of a header field")
    if name.lower() == "server":
        raise ValueError("the Server field is what --server-name says")
    if name.lower() in _SERVERS_OWN:
        raise ValueError(f"{name} is the server's own")
    return name, content


def line_of_field(value: Any) -> str:
    """The value of a header field, without the blanks around it."""
    content = value.strip(" \t") if isinstance(value, str) else value
    if not isinstance(content, str) or not re.fullmatch(r"[\t\x20-\x7e]*", content):
        raise ValueError(f"{content!r} is not the value of a header field")
    return content


def path_of_requests(value: Any) -> str:
    """The path of a request as it is sent: percent-encoded, without a query."""
    text = line(value)
    if not re.fullmatch(r"/[!-~]*", text) or "?" in text or "#" in text:
        raise ValueError(f"{text!r} is no path of a request, such as /healthz")
    return text


def folder(value: Any) -> str:
    """A folder that is there."""
    from pathlib import Path  # which few starts need

    text = line(value)
    if not Path(text).is_dir():
        raise ValueError(f"{text!r} is no folder")
    return text


def glob(value: Any) -> str:
    """A pattern of files, as pathlib has them."""
    from pathlib import PurePath  # which few starts need

    text = line(value)
    try:
        PurePath("file").match(text)
    except ValueError:
        raise ValueError(f"{text!r} is no pattern, such as *.html") from None
    return text


def proxy(value: Any) -> str:
    """Whose proxy fields are believed: an address, a network, ``unix`` or ``*``."""
    text = line(value).strip()
    if text in ("*", "unix"):
        return text
    import ipaddress  # which few starts need

    try:
        if "%" in text:
            raise ValueError("addresses of one link can't be told apart")
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"{text!r} is no address or network") from None


def access_log_format(value: Any) -> str:
    """A format that the native access log knows (server/session/access_log_format.h)."""
    text = line(value)
    if text in ("daphne", "combined", "json"):
        return text
    left = re.sub(r"%%|%\(([hlutrmUqHsBbfaTLMDpXc]|\{[!#$%&'*+.^_`|~0-9A-Za-z-]+\}i)\)s", "", text)
    if "%" in left:
        raise ValueError(f"{left[left.index('%') :]!r} is no known atom")
    if left == text:
        raise ValueError(f"{text!r} is no format and has no atoms")
    return text


def log_format(value: Any) -> str:
    """A format of Python's logging, in % style, or ``json``."""
    if value == JSON_FORMAT:
        return JSON_FORMAT
    record = logging.LogRecord("cppasgi", logging.INFO, "", 0, "", (), None)
    try:
        logging.Formatter(value).format(record)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{value!r} is not a log format: {error}") from None
    return str(value)


def log_file(value: Any) -> Any:
    """Path of a file, ``-`` for standard output, or an open file."""
    return value if hasattr(value, "fileno") else line(value)
