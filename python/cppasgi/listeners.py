"""Binds what a server listens on, says so, and cleans up after it.

Binding itself is native (`cppasgi._native.Server.bind_tcp` and its siblings).
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from cppasgi import _native
from cppasgi.endpoints import (
    Endpoint,
    ListenError,
    SystemdEndpoint,
    TcpEndpoint,
    UnixEndpoint,
    format_address,
    parse_endpoint,
)

logger = logging.getLogger("cppasgi.server")

_FIRST_SYSTEMD_DESCRIPTOR = 3


class Listeners:
    """The endpoints of one server, in the order of their descriptions.

    Attributes:
        addresses: what is listened on once `bind()` returned: (host, port) for TCP with the real
            port, a path for a Unix socket.
    """

    def __init__(self, descriptions: Sequence[str]) -> None:
        """Reads the descriptions; nothing is opened yet.

        Raises:
            EndpointError: one of them is wrong or not supported.
        """
        self._endpoints = [(text, parse_endpoint(text)) for text in sorted(descriptions)]
        self._unix_files: list[UnixSocketFile] = []
        self.addresses: list[tuple[str, int] | str] = []

    def bind(self, native: _native.Server) -> None:
        """Reserves every address.

        Raises:
            ListenError: one can't be had; those before it stay bound until the server closes.
        """
        for description, endpoint in self._endpoints:
            logger.info("Configuring endpoint %s", description)
            try:
                self.addresses.append(self._bind_one(native, endpoint))
            except OSError as error:
                where = _where(endpoint)
                raise ListenError(f"Couldn't listen on {where}: {_reason(error)}.") from error

    def announce(self) -> None:
        """Logs each address. Differs from Daphne: those of Unix sockets too."""
        for address in self.addresses:
            if isinstance(address, tuple):
                logger.info("Listening on TCP address %s", format_address(address))
            elif address.startswith("file descriptor "):
                logger.info("Listening on %s", address)
            else:
                logger.info("Listening on Unix socket %s", address)

    def remove_files(self) -> None:
        """Removes the files of Unix sockets; may be called again and in a signal handler."""
        for file in self._unix_files:
            file.remove()

    def _bind_one(self, native: _native.Server, endpoint: Endpoint) -> tuple[str, int] | str:
        if isinstance(endpoint, TcpEndpoint):
            host = _numeric(endpoint.interface)
            return native.bind_tcp(host, endpoint.port, endpoint.backlog)
        if isinstance(endpoint, UnixEndpoint):
            file = UnixSocketFile(endpoint.address)
            file.remove_stale()
            # Whoever may not connect must not have a chance to before a chmod: the mode is there
            # from the start.
            umask = os.umask(~endpoint.mode & 0o777)
            try:
                native.bind_unix(endpoint.address, endpoint.backlog)
            finally:
                os.umask(umask)
            file.adopt()
            self._unix_files.append(file)
            return endpoint.address
        if isinstance(endpoint, SystemdEndpoint):
            fileno = systemd_descriptor(endpoint, os.environ, os.getpid())
        else:
            fileno = endpoint.fileno
        return native.bind_fd(fileno) or f"file descriptor {fileno}"


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
    index = endpoint.index
    if endpoint.name is not None:
        names = environ.get("LISTEN_FDNAMES", "").split(":")
        index = names.index(endpoint.name) if endpoint.name in names else count
    if index is None or index >= count:
        raise OSError(f"not among the {count} sockets that systemd passed")
    return _FIRST_SYSTEMD_DESCRIPTOR + index


class UnixSocketFile:
    """The file of a Unix socket, before it is bound and after the server is gone.

    Differs from Daphne, which keeps a ``.lock`` link beside the socket: whether somebody listens
    is asked by connecting.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._identity: tuple[int, int] | None = None

    def remove_stale(self) -> None:
        """Removes a socket that nobody listens on any more, and nothing else.

        Raises:
            OSError: a server listens there, the path is no socket, or it can't be looked at.
        """
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise OSError(errno.EEXIST, "File exists and is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            # Anything but a refusal means a live one: EAGAIN, for one, is a full accept queue.
            error = probe.connect_ex(str(self.path))
        if error != errno.ECONNREFUSED:
            error = error if error not in (0, errno.EAGAIN) else errno.EADDRINUSE
            raise OSError(error, os.strerror(error))
        self.path.unlink(missing_ok=True)

    def adopt(self) -> None:
        """Remembers the bound socket as ours."""
        status = self.path.stat()
        self._identity = (status.st_dev, status.st_ino)

    def remove(self) -> None:
        """Removes the file unless another server has put its own in its place."""
        if self._identity is None:
            return
        try:
            status = self.path.lstat()
            if (status.st_dev, status.st_ino) == self._identity:
                self.path.unlink()
        except OSError:
            pass
        self._identity = None


def _numeric(host: str) -> str:
    """The address to bind: IPv4 comes first, as with Daphne, whatever the resolver prefers."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("not a host name") from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])


def _where(endpoint: Endpoint) -> str:
    if isinstance(endpoint, TcpEndpoint):
        return format_address((endpoint.interface, endpoint.port))
    if isinstance(endpoint, UnixEndpoint):
        return endpoint.address
    if isinstance(endpoint, SystemdEndpoint):
        return f"systemd socket {endpoint.index if endpoint.name is None else endpoint.name}"
    return f"file descriptor {endpoint.fileno}"


def _reason(error: OSError) -> str:
    if error.errno is None or isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    return f"[Errno {error.errno}] {error.strerror or os.strerror(error.errno)}"
