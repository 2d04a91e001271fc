"""What the values of flags may be: functions from text to value for argparse.

Each raises `argparse.ArgumentTypeError` with a text that says what is wrong.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Callable

from cppasgi.settings import times
from cppasgi.settings.endpoints import build_endpoint_description_strings
from cppasgi.settings.fields import header_value, is_field_name

JSON_FORMAT = "json"
"""The value of ``--log-fmt`` that makes each line a JSON object."""

_MOST = 2**31 - 1
_MOST_WORKERS = 1024


def port(text: str) -> int:
    """A TCP port."""
    return _integer(text, 0, 65535)


def line(text: str) -> str:
    """A text without control characters, that UTF-8 can hold."""
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} has characters that can't be printed")
    return text


def field_name(text: str) -> str:
    """Name of a header field (RFC 9110 5.1); empty is the default one, as with Daphne."""
    if text and not is_field_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a header field")
    return text


def header(text: str) -> tuple[str, str]:
    """A field of every response, as ``NAME:VALUE``."""
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME:VALUE")
    try:
        return name, header_value(name, value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def mode(text: str) -> int:
    """Permissions of a socket, in octal digits; its owner may use it.

    So what a file of TOML has as 0o660, which comes as 432, isn't taken for other permissions.
    """
    if not re.fullmatch(r"0?[67][0-7]{2}", text):
        raise argparse.ArgumentTypeError(f"{text!r} are no permissions, such as 660")
    return int(text, 8)


def path_of_requests(text: str) -> str:
    """The path of a request as it is sent: percent-encoded, without a query."""
    if not re.fullmatch(r"/[!-~]*", text) or "?" in text or "#" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no path of a request, such as /healthz")
    return text


def folder(text: str) -> str:
    """A folder that is there."""
    from pathlib import Path  # which few starts need

    if not Path(line(text)).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return text


def glob(text: str) -> str:
    """A pattern of files, as pathlib has them."""
    from pathlib import PurePath  # which few starts need

    try:
        PurePath("file").match(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no pattern, such as *.html") from None
    return text


def proxies(text: str) -> list[str]:
    """Whose proxy fields are believed, separated by commas."""
    return [_proxy(entry.strip()) for entry in text.split(",")]


def _proxy(entry: str) -> str:
    if entry in ("*", "unix"):
        return entry
    import ipaddress  # which few starts need

    try:
        if "%" in entry:
            raise ValueError("addresses of one link can't be told apart")
        return str(ipaddress.ip_network(entry, strict=False))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{entry!r} is no address or network") from None


def access_log_format(text: str) -> str:
    """A format that the native access log knows (server/session/access_log_format.h)."""
    line(text)
    if text in ("daphne", "combined", "json"):
        return text
    left = re.sub(r"%%|%\(([hlutrmUqHsBbfaTLMDpXc]|\{[!#$%&'*+.^_`|~0-9A-Za-z-]+\}i)\)s", "", text)
    if "%" in left:
        raise argparse.ArgumentTypeError(f"{left[left.index('%') :]!r} is no known atom")
    if left == text:
        raise argparse.ArgumentTypeError(f"{text!r} is no format and has no atoms")
    return text


def log_format(text: str) -> str:
    """A format of Python's logging, in % style, or ``json``."""
    if text == JSON_FORMAT:
        return text
    record = logging.LogRecord("cppasgi", logging.INFO, "", 0, "", (), None)
    try:
        logging.Formatter(text).format(record)
    except (ValueError, KeyError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a log format: {error}") from None
    return text


def workers(text: str) -> int:
    """A number of processes; ``auto`` is that of the cores this process may use."""
    if text == "auto":
        from cppasgi.settings.cpus import usable_cpus

        return min(usable_cpus(), _MOST_WORKERS)
    return _integer(text, 1, _MOST_WORKERS)


def address(text: str) -> str:
    """``HOST:PORT`` or ``unix:PATH:mode=MODE``, as the description of an endpoint.

    Without a mode only the user of the server may connect to the socket.
    """
    kind, _, rest = line(text).partition(":")
    path, has_mode, permissions = rest.partition(":mode=")
    if kind == "unix" and path:
        allowed = mode(permissions) if has_mode else 0o600
        return build_endpoint_description_strings(unix_socket=path, unix_socket_mode=allowed)[0]
    host, colon, number_of_port = text.rpartition(":")
    if not colon or not host:
        raise argparse.ArgumentTypeError(f"{text!r} is neither HOST:PORT nor unix:PATH")
    return build_endpoint_description_strings(host, port(number_of_port))[0]


def number(least: int, most: int = _MOST) -> Callable[[str], int]:
    """Makes the type of a flag that takes integers from ``least`` to ``most``."""
    return lambda text: _integer(text, least, most)


def time_limit(text: str) -> float:
    """A time from 0 on."""
    return _time(text, times.time_limit)


def time_limit_or_none(text: str) -> float:
    """A time from 0 on, or -1."""
    return _time(text, times.time_limit_or_none)


def _time(text: str, check: Callable[[float], float]) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    try:
        return check(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _integer(text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
    return value
