r"""Where the server listens, as values and as strings in Twisted's grammar, which is Daphne's.

``type:value:name=value``: values are positional or named, a backslash takes the next character as
it is (``tcp:8000:interface=\:\:1``), and in a named value ``=`` is an ordinary character.

=========  ======================================  ===========================================
type       parameters                              notes
=========  ======================================  ===========================================
tcp        port, interface, backlog                IPv4, or IPv6 for an IPv6 address
tcp6       port, backlog, interface (``::``)       IPv6, and IPv4 too if interface is ``::``
unix       address, mode, backlog, lockfile        a lock file is never made; for the mode where
                                                   none is given see `cppasgi.serving.unix_sockets`
systemd    index or name, domain                   socket activation; any address family
fd         fileno, domain                          any address family, whatever domain says
haproxy    an endpoint of another type             each connection begins with a PROXY preamble
=========  ======================================  ===========================================
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

_LATER = {
    "ssl": "they come with TLS",
    "tls": "they come with TLS",
}
_PROXIED = "haproxy:"
_DOMAINS = ("INET", "INET6", "UNIX")


class ListenError(OSError):
    """An address can't be listened on; the text says which one and why."""


class EndpointError(ValueError):
    """A description of an endpoint is wrong or of a kind that isn't supported; one line of text."""


class TcpEndpoint(NamedTuple):
    """A TCP port; here and below ``backlog`` 0 is the server's default.

    ``proxied`` means that each connection begins with a PROXY preamble.
    """

    port: int
    interface: str = ""
    backlog: int = 0
    proxied: bool = False


class UnixEndpoint(NamedTuple):
    """A Unix socket at ``address``, with the permissions ``mode``, which needn't be given."""

    address: str
    mode: int | None = None
    backlog: int = 0
    proxied: bool = False


class DescriptorEndpoint(NamedTuple):
    """A bound socket that was inherited."""

    fileno: int
    proxied: bool = False


class SystemdEndpoint(NamedTuple):
    """A socket that systemd passes (sd_listen_fds(3)), by its place or by its name."""

    place: int | None = None
    name: str | None = None
    proxied: bool = False


Endpoint: TypeAlias = TcpEndpoint | UnixEndpoint | DescriptorEndpoint | SystemdEndpoint


def endpoint_descriptions(
    host: str | None = None,
    port: int | None = None,
    unix_socket: str | None = None,
    file_descriptor: int | None = None,
    endpoints: Sequence[str] = (),
    unix_socket_mode: int | None = None,
    proxied: bool = False,
) -> list[str]:
    """Describes everything to listen on, in alphabetical order.

    Same as Daphne's: nothing given is 127.0.0.1:8000, a host alone takes port 8000, a port alone
    takes 127.0.0.1, and with only others no TCP port is opened.

    Args:
        proxied: whether the connections of all of them begin with a PROXY preamble.

    Raises:
        EndpointError: there are permissions for Unix sockets, but no such socket.
    """
    if unix_socket_mode is not None:
        parsed = [parse_endpoint(text) for text in endpoints]
        if not (unix_socket or any(isinstance(each, UnixEndpoint) for each in parsed)):
            raise EndpointError("--unix-socket-mode is for Unix sockets, and there is none")
        endpoints = [
            f"{text}:mode={unix_socket_mode:o}"
            if isinstance(each, UnixEndpoint) and each.mode is None
            else text
            for text, each in zip(endpoints, parsed, strict=True)
        ]
    if not (host or port is not None or unix_socket or file_descriptor is not None or endpoints):
        host, port = DEFAULT_HOST, DEFAULT_PORT
    elif host and port is None:
        port = DEFAULT_PORT
    elif port is not None and not host:
        host = DEFAULT_HOST
    built = build_endpoint_description_strings(
        host, port, unix_socket, file_descriptor, unix_socket_mode
    )
    described = [*endpoints, *built]
    if proxied:
        described = [
            text if text.lower().startswith(_PROXIED) else _PROXIED + text for text in described
        ]
    return sorted(described)


def build_endpoint_description_strings(
    host: str | None = None,
    port: int | None = None,
    unix_socket: str | None = None,
    file_descriptor: int | None = None,
    unix_socket_mode: int | None = None,
) -> list[str]:
    r"""Describes endpoints as strings such as ``tcp:port=8000:interface=127.0.0.1``.

    Same as Daphne's function: the brackets of an IPv6 literal go, its colons are escaped as ``\:``.
    Differs from Daphne: a path's colons, equals signs and backslashes are escaped too, and the
    socket may have permissions.

    Returns:
        One string each for TCP, Unix socket and descriptor, in this order.

    Raises:
        ValueError: only one of host and port is given.
    """
    descriptions = []
    if host and port is not None:
        descriptions.append(f"tcp:port={int(port)}:interface={_quote(host.strip('[]'))}")
    elif host or port:
        raise ValueError("TCP binding requires both port and host kwargs.")
    if unix_socket:
        mode = "" if unix_socket_mode is None else f":mode={unix_socket_mode:o}"
        descriptions.append(f"unix:{_quote(unix_socket)}{mode}")
    if file_descriptor is not None:
        descriptions.append(f"fd:fileno={int(file_descriptor)}")
    return descriptions


def parse_endpoint(description: str) -> Endpoint:
    """Reads a description.

    Raises:
        EndpointError: it isn't one, or its type is unknown or not supported (yet).
    """
    try:
        if description.lower().startswith(_PROXIED):
            inner = description[len(_PROXIED) :]
            if inner.lower().startswith(_PROXIED):
                raise EndpointError("a haproxy endpoint is none of another")
            return parse_endpoint(inner)._replace(proxied=True)
        positional, named = _split(description)
        kind = positional.pop(0).lower() if positional else ""
        if kind in _LATER:
            raise EndpointError(f"{kind} endpoints are not supported yet: {_LATER[kind]}")
        make = _TYPES.get(kind)
        if make is None:
            raise EndpointError(f"Unknown endpoint type: '{kind}'")
        return make(**_named(kind, make, positional, named))
    except EndpointError as error:
        raise EndpointError(f"{error} (in {description!r})") from None


def format_address(address: tuple[str, int] | str) -> str:
    """Writes an address for people: ``127.0.0.1:8000``, ``[::1]:8000`` or a path."""
    if isinstance(address, str):
        return address
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _quote(value: str) -> str:
    for special in "\\:=":
        value = value.replace(special, "\\" + special)
    return value


def _split(description: str) -> tuple[list[str], dict[str, str]]:
    """Splits a description into its positional (type included) and its named values."""
    positional: list[str] = []
    named: dict[str, str] = {}
    name: str | None = None
    value = ""
    characters = iter(description + ":")
    for character in characters:
        if character == "\\":
            value += next(characters)
        elif character == "=" and name is None:
            name, value = value, ""
        elif character != ":":
            value += character
        else:
            if name is None:
                positional.append(value)
            elif name in named:
                raise EndpointError(f"{name} is given twice")
            else:
                named[name] = value
            name, value = None, ""
    if value:
        raise EndpointError("a backslash stands at the end")
    return positional, named


def _named(
    kind: str, make: Callable[..., Endpoint], positional: list[str], named: dict[str, str]
) -> dict[str, str]:
    """All values under their names, once it is certain that ``make`` takes them."""
    parameters = inspect.signature(make).parameters
    if len(positional) > len(parameters):
        raise EndpointError(f"{kind} endpoint with more values than {', '.join(parameters)}")
    values = dict(zip(parameters, positional, strict=False))
    for name, value in named.items():
        if name not in parameters:
            raise EndpointError(f"{kind} endpoints have no {name}, but {', '.join(parameters)}")
        if name in values:
            raise EndpointError(f"{name} is given twice")
        values[name] = value
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in values:
            raise EndpointError(f"{kind} endpoint without {name}")
    return values


def _number(name: str, text: str, least: int = 0, most: int = 2**31 - 1, base: int = 10) -> int:
    try:
        number = int(text, base)
    except ValueError:
        kind = "an octal" if base == 8 else "a whole"
        raise EndpointError(f"{name} {text!r} is not {kind} number") from None
    if not least <= number <= most:
        raise EndpointError(f"{name} {text} is out of range")
    return number


def _port(text: str) -> int:
    return _number("port", text, most=65535)


def _backlog(text: str) -> int:
    return _number("backlog", text)


def _check_domain(domain: str) -> None:
    if domain.removeprefix("AF_").removeprefix("AddressFamily.AF_") not in _DOMAINS:
        raise EndpointError(f"domain {domain!r} is none of {', '.join(_DOMAINS)}")


def _tcp(port: str, interface: str = "", backlog: str = "0") -> Endpoint:
    return TcpEndpoint(_port(port), interface or "0.0.0.0", _backlog(backlog))


def _tcp6(port: str, backlog: str = "0", interface: str = "::") -> Endpoint:
    return TcpEndpoint(_port(port), interface, _backlog(backlog))


def _unix(
    address: str, mode: str | None = None, backlog: str = "0", lockfile: str = "1"
) -> Endpoint:
    if not address:
        raise EndpointError("unix endpoint without an address")
    _number("lockfile", lockfile)
    permissions = None if mode is None else _number("mode", mode, most=0o777, base=8)
    return UnixEndpoint(address, permissions, _backlog(backlog))


def _systemd(domain: str = "INET", index: str | None = None, name: str | None = None) -> Endpoint:
    _check_domain(domain)
    if (index is None) == (name is None):
        raise EndpointError("Specify exactly one of descriptor index or name")
    return SystemdEndpoint(None if index is None else _number("index", index), name)


def _fd(fileno: str, domain: str = "INET") -> Endpoint:
    _check_domain(domain)
    return DescriptorEndpoint(_number("fileno", fileno))


_TYPES: dict[str, Callable[..., Endpoint]] = {
    "tcp": _tcp,
    "tcp6": _tcp6,
    "unix": _unix,
    "systemd": _systemd,
    "fd": _fd,
}
