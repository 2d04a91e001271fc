"""What is known of one setting, said once: `setting()` stands as the default of its field.

The fields of `cppasgi.settings.server_settings.ServerSettings` are the keywords of `Server`, those
of `cppasgi.settings.command_settings.CommandSettings` are the command's alone. From both come the
flags and ``--help``, the variables and the keys of a file; from the first one also the checks of
keywords and the options of the native server (`cppasgi._native.ServerOptions`). CONTRIBUTING.md has
the steps to add one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cppasgi.settings import values

ADDRESSES = "addresses"
APPLICATION = "application"
STOPPING = "stopping"
PROCESSES = "processes"
PROXY = "behind a proxy"
REQUESTS = "requests and responses"
CONNECTIONS = "connections"
WEBSOCKET = "WebSocket"
DEFLATE = "WebSocket compression (permessage-deflate)"
LOGGING = "logging"
GROUPS = (
    *(ADDRESSES, APPLICATION, STOPPING, PROCESSES, PROXY, REQUESTS, CONNECTIONS),
    *(WEBSOCKET, DEFLATE, LOGGING),
)
"""Of flags, in the order of ``--help``."""


def _same(value: Any) -> Any:
    return value


class Kind(NamedTuple):
    """What values a setting takes.

    Attributes:
        read: from a text, or what a program has, to the value, or to one of a list; a ValueError
            says what is wrong.
        unit: what ``--help`` calls the value.
        choices: all that there are, if they are few.
        is_list: whether the value is a list.
        separator: what stands between the values of a list in one text; None is blanks.
        is_repeated: whether a flag gives one value of a list, so that it may be given several
            times; else it gives them all.
        native: from the value to that of the native option.
    """

    read: Callable[[Any], Any]
    unit: str | None = None
    choices: tuple[Any, ...] = ()
    is_list: bool = False
    separator: str | None = None
    is_repeated: bool = False
    native: Callable[[Any], Any] = _same

    def split(self, text: str) -> list[str]:
        """The values of a list, out of the one text of a variable."""
        if self.separator == "\n":
            return text.splitlines()
        return text.split(self.separator) if text else []

    def read_all(self, value: Any) -> Any:
        """The setting's value, out of a text or of what a program or a file has."""
        if not self.is_list:
            return self.read(value)
        if not isinstance(value, str) and not isinstance(value, list | tuple):
            raise ValueError(f"{value!r} is not a list")
        return [
            self.read(each) for each in (self.split(value) if isinstance(value, str) else value)
        ]


SWITCH = Kind(values.truth)
TEXT = Kind(values.line)
FIELD_NAME = Kind(values.field_name, "NAME", native=lambda name: (name or "").lower())
SECONDS = Kind(values.time_limit, "SECONDS")
SECONDS_OR_NONE = Kind(values.time_limit_or_none, "SECONDS", native=lambda time: max(time, 0))


def whole(unit: str, least: int, most: int = values.MOST) -> Kind:
    """The kind of whole numbers from ``least`` to ``most``."""
    return Kind(values.number(least, most), unit)


def choice(*words: str) -> Kind:
    """The kind of one of some words."""
    return Kind(values.one_of(*words), choices=words)


def several(read: Callable[[Any], Any], unit: str, separator: str | None = None) -> Kind:
    """The kind of lists whose flag may be given several times."""
    return Kind(read, unit, (), True, separator, True, native=list)


class Setting(NamedTuple):
    """One setting; `setting()` has the meanings."""

    default: Any
    kind: Kind
    group: str
    help: str
    flags: tuple[str, ...]
    off: str
    dest: str
    unit: str | None
    shown: str
    native: str
    is_optional: bool
    is_passed: bool
    is_fixed: bool

    def read(self, value: Any) -> Any:
        """The value out of a text, or of what a program has; a ValueError says what is wrong."""
        return None if self.is_optional and value in ("", None) else self.kind.read_all(value)


def setting(
    default: Any,
    kind: Kind,
    group: str = "",
    help: str = "",
    *,
    flags: str = "",
    off: str = "",
    dest: str = "",
    unit: str | None = None,
    shown: str | None = None,
    native: str = "",
    is_optional: bool = False,
    is_passed: bool = True,
    is_fixed: bool = False,
) -> Any:
    """Makes a field.

    Args:
        default: the value if nobody says otherwise.
        kind: what values there are.
        group: of flags in ``--help``; without one there is no flag.
        help: one line; the default is added.
        flags: all spellings, old ones too, if they aren't ``--`` and the field's name.
        off: a flag that says nothing, with a value that is empty.
        dest: the attribute of parsed flags, if it isn't the field's name.
        unit: what ``--help`` calls the value, if it isn't the kind's.
        shown: the default as ``--help`` and docs/configuration.md have it.
        native: the name of the native option that takes it.
        is_optional: whether there may be no value, which an empty text says.
        is_passed: whether the command passes the value on to `Server` as it is.
        is_fixed: whether a supervisor can't apply another value while it runs.
    """
    if shown is None:
        shown = _shown(default)
    names = tuple(flags.split())
    one = Setting(
        *(default, kind, group, help, names, off, dest, unit or kind.unit, shown, native),
        *(is_optional, is_passed, is_fixed),
    )
    return dataclasses.field(default=default, metadata={"setting": one})


def settings_of(table: type) -> Iterator[tuple[str, Setting]]:
    """The fields of a dataclass that are settings, under their names and in their order."""
    for field in dataclasses.fields(table):
        if (one := field.metadata.get("setting")) is not None:
            yield (
                field.name,
                one._replace(
                    flags=one.flags or (f"--{field.name.replace('_', '-')}",),
                    dest=one.dest or field.name,
                ),
            )


def check_settings(target: Any) -> None:
    """Checks the attributes of a dataclass that aren't as by default, and has them be values.

    Raises:
        ValueError: one is none; the text names it.
    """
    for field in dataclasses.fields(target):
        one = field.metadata.get("setting")
        given = getattr(target, field.name)
        if one is None or (tuple(given) if isinstance(given, list) else given) == one.default:
            continue
        try:
            setattr(target, field.name, one.read(given))
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ",".join(default) or "none"
    return f"{default:g}" if isinstance(default, float) else str(default or "none")
