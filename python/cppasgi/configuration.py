"""Flags from the environment and from a TOML file, for what the command line leaves open.

Precedence: flag, environment, file. Every flag has a variable, ``--graceful-timeout`` for one
``CPPASGI_GRACEFUL_TIMEOUT``, and a key, ``graceful-timeout`` (or ``graceful_timeout``). The file is
that of ``--config`` or ``CPPASGI_CONFIG``, else ./pyproject.toml with a table ``[tool.cppasgi]``.

The environment isn't all the user's own. Kubernetes puts the addresses of every Service into each
pod: of one named ``cppasgi``, or ``cppasgi-web``, they begin as our variables do.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cppasgi.process_options import Append

PREFIX = "CPPASGI_"
CONFIG_VARIABLE = "CPPASGI_CONFIG"
PROJECT_FILE = "pyproject.toml"

_SERVICE_LINK = re.compile(
    r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
"""How Kubernetes names what it tells of a Service, after the Service's own name."""
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")
"""How the value of one more begins, whose name ends with PORT as some flags' do."""

_COMMAND_LINE_ONLY = {"help", "version", "config", "check"}
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class ConfigurationError(ValueError):
    """A file or a variable is wrong; the text is one line that says where and what."""


def configured(
    parser: argparse.ArgumentParser, config: str | None, environ: Mapping[str, str]
) -> argparse.Namespace:
    """Reads the values of flags from file and environment.

    Args:
        parser: defines the flags.
        config: path of the TOML file, which needn't be given.
        environ: the environment.

    Returns:
        What ``parser.parse_args`` takes as its namespace, so that flags come before it. Values of
        flags that collect are tuples. Its ``unknown_variables`` are names that look like ours, but
        are neither a flag's nor Kubernetes'.

    Raises:
        ConfigurationError: see there.
    """
    values = argparse.Namespace()
    keys = dict(_keys(parser))
    _apply(values, keys, *_from_file(config or environ.get(CONFIG_VARIABLE)))
    variables = {
        name.removeprefix(PREFIX).lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and not _is_service(name, value)
    }
    values.unknown_variables = sorted(_variable(key) for key in variables.keys() - keys.keys())
    _apply(values, keys, {key: variables[key] for key in variables.keys() & keys.keys()}, _variable)
    return values


def load_env_file(path: str) -> None:
    """Sets the environment variables that ``path`` has and this process hasn't.

    Raises:
        ConfigurationError: python-dotenv, which reads the file, is missing, or it can't.
    """
    try:
        from dotenv import load_dotenv
    except ImportError as error:
        raise ConfigurationError(
            f"--env-file needs python-dotenv (cppasgi[env]): {error}"
        ) from None
    try:
        with open(path, encoding="utf-8") as stream:
            load_dotenv(stream=stream)
    except OSError as error:
        raise ConfigurationError(f"Can't read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: {' '.join(str(error).split())}") from None


def _is_service(name: str, value: str) -> bool:
    """Whether a variable is one of those by which Kubernetes tells of a Service."""
    words = name.removeprefix(PREFIX).split("_")
    if words[-1] == "PORT" and _SERVICE_URL.match(value):
        return True
    return any(_SERVICE_LINK.fullmatch("_".join(words[first:])) for first in range(len(words)))


def _keys(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """The key of each flag that may be configured, in the order of their definition."""
    for action in parser._actions:
        names = [name for name in action.option_strings if name.startswith("--")]
        for name in names or [action.dest]:
            key = name.removeprefix("--").replace("_", "-")
            if key not in _COMMAND_LINE_ONLY:
                yield key, action


def _from_file(path: str | None) -> tuple[dict[str, Any], Callable[[str], str]]:
    """Reads the table of flags; returns also how to name a key in a message."""
    file = path or PROJECT_FILE
    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read()
        from cppasgi.toml import loads

        table: Any = loads(text)
        if os.path.basename(file) == PROJECT_FILE:
            table = table.get("tool", {}).get("cppasgi", {})
    except FileNotFoundError as error:
        if path is None:
            return {}, str
        raise ConfigurationError(f"Can't read {file}: {error.strerror}") from None
    except OSError as error:
        raise ConfigurationError(f"Can't read {file}: {error.strerror}") from None
    except (ValueError, AttributeError) as error:
        raise ConfigurationError(f"{file}: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise ConfigurationError(f"{file}: tool.cppasgi is not a table")
    return {key.replace("_", "-"): value for key, value in table.items()}, f"{file}: {{}}".format


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace("-", "_")


def _apply(
    values: argparse.Namespace,
    keys: Mapping[str, argparse.Action],
    given: Mapping[str, Any],
    name_of: Callable[[str], str],
) -> None:
    for key in given:
        if key not in keys:
            raise ConfigurationError(f"{name_of(key)}: there is no such flag")
    for key, action in keys.items():
        if key not in given:
            continue
        try:
            setting = _convert(action, given[key])
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise ConfigurationError(f"{name_of(key)}: {error}") from None
        if setting is not None:
            setattr(values, action.dest, setting)


def _convert(action: argparse.Action, given: Any) -> Any:
    """The value that the flag would give; None for a switch that is off."""
    if action.nargs == 0:
        if not _truth(given):
            return None
        return True if action.const is None else action.const
    if isinstance(action, Append):
        items = action.split(given) if isinstance(given, str) else given
        if not isinstance(items, list):
            raise ValueError(f"{given!r} is not a list")
        return tuple(_convert_one(action, item) for item in items)
    return _convert_one(action, given)


def _convert_one(action: argparse.Action, given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError(f"{given!r} is neither a string nor a number")
    value = action.type(str(given)) if callable(action.type) else str(given)
    if action.choices is not None and value not in action.choices:
        choices = ", ".join(str(choice) for choice in action.choices)
        raise ValueError(f"{given!r} is none of {choices}")
    return value


def _truth(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in (*_YES, *_NO):
        return given.lower() in _YES
    raise ValueError(f"{given!r} is neither true nor false")
