"""Binds what a server listens on, says so, and cleans up after it.

A bound socket accepts nothing yet: whoever serves takes it over (`cppasgi._native.Server.bind_fd`)
and listens. With several worker processes the supervisor binds, and its workers inherit.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cppasgi import _native
from cppasgi.settings.endpoints import (
    Endpoint,
    ListenError,
    SystemdEndpoint,
    TcpEndpoint,
    UnixEndpoint,
    format_address,
    parse_endpoint,
)

if TYPE_CHECKING:
    from cppasgi.serving.unix_sockets import UnixSocketFile
    from cppasgi.serving.worker import Worker

logger = logging.getLogger("cppasgi.server")

ListenAddress: TypeAlias = "tuple[str, int] | str"
"""(host, port) for TCP, else a path or what is known of a descriptor."""

_FIRST_SYSTEMD_DESCRIPTOR = 3


class Listener(NamedTuple):
    """A bound socket; ``backlog`` 0 is the server's default.

    Attributes:
        proxied: whether each connection begins with a PROXY preamble.
        is_own: whether others have sockets of their own at the same address, over which the kernel
            spreads new connections.
    """

    address: ListenAddress
    socket: socket.socket
    backlog: int = 0
    is_own: bool = False
    proxied: bool = False

    def listens(self) -> bool:
        """Whether new connections come here."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 0

    def another(self) -> Listener:
        """A socket of its own at the same address, or the same once more where that can't be.

        The kernel spreads new connections over the sockets of a TCP address.

        Raises:
            ListenError: it can't be bound.
        """
        if isinstance(self.address, tuple) and self.socket.getsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEPORT
        ):
            try:
                bound = _bind_tcp(self.socket.family, self.socket.getsockname(), shared=True)
            except OSError as error:
                raise _refused(format_address(self.address), error) from error
            return self._replace(socket=bound, is_own=True)
        return self._replace(socket=self.socket.dup(), is_own=False)


class Listeners:
    """The endpoints of one server, in the order of their descriptions.

    Attributes:
        addresses: what is listened on once `open()` returned; for TCP with the real port.
    """

    def __init__(
        self, descriptions: Sequence[str], *, shared: bool = False, announced: bool = True
    ) -> None:
        """Reads the descriptions; nothing is opened yet.

        Args:
            descriptions: of the endpoints.
            announced: whether the log tells of them.
            shared: whether each TCP address will have several sockets (SO_REUSEPORT).

        Raises:
            EndpointError: one of them is wrong or not supported.
        """
        self._endpoints = [(text, parse_endpoint(text)) for text in sorted(descriptions)]
        self._shared = shared
        self._log = logger.info if announced else logger.debug
        self._unix_files: list[UnixSocketFile] = []
        self.addresses: list[ListenAddress] = []

    def open(self) -> list[Listener]:
        """Reserves every address.

        Raises:
            ListenError: one can't be had; those before it are given up.
        """
        listeners: list[Listener] = []
        for description, endpoint in self._endpoints:
            self._log("Configuring endpoint %s", description)
            try:
                listeners.append(self._open_one(endpoint)._replace(proxied=endpoint.proxied))
            except OSError as error:
                for listener in listeners:
                    listener.socket.close()
                raise _refused(_where(endpoint), error) from error
        self.addresses = [listener.address for listener in listeners]
        return listeners

    def bind(self, native: _native.Server) -> None:
        """Opens them and hands them to the native server.

        Raises:
            ListenError: as `open`.
        """
        for listener in self.open():
            with listener.socket:
                native.bind_fd(listener.socket.fileno(), listener.backlog, listener.proxied)

    def announce(self) -> None:
        """Logs each address. Differs from Daphne: those of Unix sockets too."""
        for address in self.addresses:
            if isinstance(address, tuple):
                self._log("Listening on TCP address %s", format_address(address))
            elif address.startswith("file descriptor "):
                self._log("Listening on %s", address)
            else:
                self._log("Listening on Unix socket %s", address)

    def remove_files(self) -> None:
        """Removes the files of Unix sockets; may be called again and in a signal handler."""
        for file in self._unix_files:
            file.remove()

    def disown(self) -> None:
        """Leaves the files to the parent, in a forked child."""
        self._unix_files.clear()

    def _open_one(self, endpoint: Endpoint) -> Listener:
        if isinstance(endpoint, TcpEndpoint):
            family, address = _resolve(endpoint)
            if self._shared:
                # Only who claims an address for itself is refused when somebody else has it.
                claimed = _bind_tcp(family, address, shared=False)
                address = claimed.getsockname()
                claimed.close()
            bound = _bind_tcp(family, address, shared=self._shared)
            return Listener(bound.getsockname()[:2], bound, endpoint.backlog, self._shared)
        if isinstance(endpoint, UnixEndpoint):
            return self._open_unix(endpoint)
        if isinstance(endpoint, SystemdEndpoint):
            fileno = systemd_descriptor(endpoint, os.environ, os.getpid())
        else:
            fileno = endpoint.fileno
        given = socket.socket(fileno=os.dup(fileno))
        if given.type != socket.SOCK_STREAM:
            given.close()
            raise OSError(errno.EPROTOTYPE, os.strerror(errno.EPROTOTYPE))
        return Listener(_address_of(given) or f"file descriptor {fileno}", given)

    def _open_unix(self, endpoint: UnixEndpoint) -> Listener:
        from cppasgi.serving.unix_sockets import bind_unix  # which few starts need

        bound, file = bind_unix(endpoint)
        self._unix_files.append(file)
        return Listener(endpoint.address, bound, endpoint.backlog)


class InheritedListeners:
    """The same for a worker process, whose sockets its supervisor has bound and announced."""

    def __init__(self, worker: Worker) -> None:
        """Takes the sockets of a worker."""
        self._sockets = worker.sockets
        self._proxied = worker.proxied
        self.addresses: list[ListenAddress] = []

    def bind(self, native: _native.Server) -> None:
        """Hands the sockets to the native server."""
        for fileno, backlog in self._sockets:
            address = native.bind_fd(fileno, backlog, fileno in self._proxied)
            os.close(fileno)
            self.addresses.append(address or f"file descriptor {fileno}")

    def announce(self) -> None:
        """Says nothing."""

    def remove_files(self) -> None:
        """Leaves the files of Unix sockets to the supervisor."""

    def disown(self) -> None:
        """Has nothing to leave."""


def listeners_for(
    endpoints: Sequence[str], worker: Worker | None, *, announced: bool
) -> Listeners | InheritedListeners:
    """Those of a server: a worker's are its supervisor's."""
    if worker is None:
        return Listeners(endpoints, announced=announced)
    return InheritedListeners(worker)


def systemd_descriptor(endpoint: SystemdEndpoint, environ: Mapping[str, str], pid: int) -> int:
    """Finds a socket that systemd passed to this process (sd_listen_fds(3)).

    Raises:
        OSError: it passed none such; the text is the reason.
    """
    if environ.get("LISTEN_PID") != str(pid):
        raise OSError("systemd passed no sockets to this process")
    try:
        count = int(environ.get("LISTEN_FDS", ""))
    except ValueError:
        count = 0
    index = endpoint.place
    if endpoint.name is not None:
        names = environ.get("LISTEN_FDNAMES", "").split(":")
        index = names.index(endpoint.name) if endpoint.name in names else count
    if index is None or index >= count:
        raise OSError(f"not among the {count} sockets that systemd passed")
    return _FIRST_SYSTEMD_DESCRIPTOR + index


def _resolve(endpoint: TcpEndpoint) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """The address to bind: IPv4 comes first, as with Daphne, whatever the resolver prefers."""
    name = endpoint.interface
    try:
        # As bytes, since the codec for the names of others is slow to import.
        host = name.encode("ascii") if name.isascii() else name
        found = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("not a host name") from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return found[0][0], found[0][4]


def _bind_tcp(family: int, address: object, *, shared: bool) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:  # "::" takes IPv4 too
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(address)  # type: ignore[arg-type]
    except OSError:
        bound.close()
        raise
    return bound


def _address_of(bound: socket.socket) -> ListenAddress | None:
    """Its address; None for an unnamed Unix socket."""
    address = bound.getsockname()
    if bound.family == socket.AF_UNIX:
        return os.fsdecode(address) or None
    return str(address[0]), int(address[1])


def _where(endpoint: Endpoint) -> str:
    if isinstance(endpoint, TcpEndpoint):
        return format_address((endpoint.interface, endpoint.port))
    if isinstance(endpoint, UnixEndpoint):
        return endpoint.address
    if isinstance(endpoint, SystemdEndpoint):
        return f"systemd socket {endpoint.place if endpoint.name is None else endpoint.name}"
    return f"file descriptor {endpoint.fileno}"


def _refused(where: str, error: OSError) -> ListenError:
    reason = error.strerror or str(error)
    if error.errno is not None and not isinstance(error, socket.gaierror):
        reason = f"[Errno {error.errno}] {error.strerror or os.strerror(error.errno)}"
    return ListenError(f"Couldn't listen on {where}: {reason}.")
