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

from cppasgi.command.options import Append, Switch
from cppasgi.settings.values import truth

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
_WITHDRAWN = object()
"""What a flag gives that isn't wanted after all: whatever there is without it."""


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
        flags that collect are tuples. Its ``configuration_warnings`` tell of what looks like ours,
        but counts for nothing: variables that are neither a flag's nor Kubernetes', and what stands
        beside our table.

    Raises:
        ConfigurationError: see there.
    """
    keys = dict(flag_keys(parser))
    table, name_of, warnings = _from_file(config or environ.get(CONFIG_VARIABLE) or None)
    for key in table.keys() - keys.keys():
        raise ConfigurationError(f"{name_of(key)}: {_unknown(key, keys)}")
    variables = {
        name.removeprefix(PREFIX).lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and not _is_service(name, value)
    }
    for key in sorted(variables.keys() - keys.keys()):
        reason = _unknown(key, keys, _variable)
        warnings.append(f"{_variable(key)}: {reason}; the variable is ignored")
        del variables[key]
    for key, action in keys.items():
        others = [other for other in table if keys[other] is action and other != key]
        if key in table and others:
            raise ConfigurationError(f"{name_of(key)}: {others[0]} is there too, and the same flag")
    settings = _converted(keys, table, name_of)
    overriding = _converted(keys, variables, _variable)
    for key in [key for key in overriding if overriding[key] is _WITHDRAWN]:
        settings.pop(key, None)
    values = argparse.Namespace(configuration_warnings=warnings)
    for key, value in [*settings.items(), *overriding.items()]:
        if value is not _WITHDRAWN:
            setattr(values, keys[key].dest, value)
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


def flag_keys(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """The key of each flag that may be configured, in the order of their definition."""
    for action in parser._actions:
        names = [name for name in action.option_strings if name.startswith("--")]
        if isinstance(action, Switch):  # its key says both
            names = names[:1]
        for name in names or [action.dest]:
            key = name.removeprefix("--").replace("_", "-")
            if key not in _COMMAND_LINE_ONLY:
                yield key, action


def _from_file(path: str | None) -> tuple[dict[str, Any], Callable[[str], str], list[str]]:
    """Reads the table of flags; returns also how to name a key in a message, and warnings."""
    file = path or PROJECT_FILE
    warnings = []
    try:
        with open(file, encoding="utf-8") as stream:
            text = stream.read()
        from cppasgi.settings.toml import loads

        table: Any = loads(text)
        if os.path.basename(file) == PROJECT_FILE:
            warnings = [f"{file}: {warning}" for warning in _beside_our_table(table, path)]
            table = _our_table(table.get("tool", {}))
    except FileNotFoundError as error:
        if path is None:
            return {}, str, []
        raise ConfigurationError(f"Can't read {file}: {error.strerror}") from None
    except OSError as error:
        raise ConfigurationError(f"Can't read {file}: {error.strerror}") from None
    except (ValueError, AttributeError) as error:
        raise ConfigurationError(f"{file}: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise ConfigurationError(f"{file}: tool.cppasgi is not a table")
    keys: dict[str, Any] = {}
    for spelling, value in table.items():
        key = spelling.replace("_", "-")
        if key in keys:
            raise ConfigurationError(f"{file}: {key} is there twice, in two spellings")
        keys[key] = value
    return keys, f"{file}: {{}}".format, warnings


def _our_table(tools: Any) -> Any:
    """That of the flags; a ValueError if there is one of almost its name, which would be lost."""
    if not isinstance(tools, dict):
        raise ValueError("tool is not a table")
    for name in tools:
        if name != "cppasgi" and re.sub("[-_. ]", "", name).lower() == "cppasgi":
            raise ValueError(f"[tool.{name}] is to be [tool.cppasgi]")
    return tools.get("cppasgi", {})


def _beside_our_table(project: dict[str, Any], path: str | None) -> Iterator[str]:
    """What of a pyproject.toml looks as if it were for us, and isn't; ``path`` if it was named."""
    for key, value in project.items():
        if not isinstance(value, dict) or key == "cppasgi":  # others have tables there only
            yield f"{key} stands outside of [tool.cppasgi] and is ignored"
    if path is not None and "cppasgi" not in project.get("tool", {}):
        yield "there is no table [tool.cppasgi]"


def _unknown(
    key: str, keys: Mapping[str, argparse.Action], name_of: Callable[[str], str] = str
) -> str:
    """Says that there is no such key, and which one may be meant."""
    if key in _COMMAND_LINE_ONLY:
        return "there is no such key, only a flag"
    if key == "tool":
        return "here keys stand at the top, without [tool.cppasgi]"
    from difflib import get_close_matches  # which few starts need

    nearest = get_close_matches(key, keys, n=1)
    hint = f" (did you mean {name_of(nearest[0])}?)" if nearest else ""
    return f"there is no such flag{hint}"


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace("-", "_")


def _converted(
    keys: Mapping[str, argparse.Action], given: Mapping[str, Any], name_of: Callable[[str], str]
) -> dict[str, Any]:
    """The values that the flags would give, in the order of the flags."""
    values = {}
    for key, action in keys.items():
        if key not in given:
            continue
        try:
            values[key] = _convert(action, given[key])
        except (argparse.ArgumentTypeError, ValueError) as error:
            raise ConfigurationError(f"{name_of(key)}: {error}") from None
    return values


def _convert(action: argparse.Action, given: Any) -> Any:
    if isinstance(action, Switch):
        return truth(given)
    if action.nargs == 0:
        return action.const if truth(given) else _WITHDRAWN
    if isinstance(action, Append):
        items = action.split(given) if isinstance(given, str) else given
        if not isinstance(items, list):
            raise ValueError(f"{given!r} is not a list")
        return tuple(_convert_one(action, item) for item in items)
    if getattr(action, "takes_list", False) and isinstance(given, list):
        return _typed(action, [_text(item) for item in given])
    return _convert_one(action, given)


def _convert_one(action: argparse.Action, given: Any) -> Any:
    value = _typed(action, _text(given))
    if action.choices is not None and value not in action.choices:
        choices = ", ".join(str(choice) for choice in action.choices)
        raise ValueError(f"{given!r} is none of {choices}")
    return value


def _text(given: Any) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError(f"{given!r} is neither a string nor a number")
    return str(given)


def _typed(action: argparse.Action, given: str | list[str]) -> Any:
    return action.type(given) if callable(action.type) else given  # type: ignore[arg-type]
