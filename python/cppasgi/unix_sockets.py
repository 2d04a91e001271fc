"""Makes Unix sockets in the file system, and removes their files, but nobody else's."""

from __future__ import annotations

import errno
import os
import socket
import stat

from cppasgi.endpoints import UnixEndpoint


def bind_unix(endpoint: UnixEndpoint) -> tuple[socket.socket, UnixSocketFile]:
    """Makes a socket and its file.

    Raises:
        OSError: it can't be had; see also `UnixSocketFile.remove_stale`.
    """
    file = UnixSocketFile(endpoint.address)
    file.remove_stale()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Whoever may not connect must not have a chance to before a chmod: the mode is there from
    # the start.
    umask = os.umask(~endpoint.mode & 0o777)
    try:
        bound.bind(endpoint.address)
    except OSError as error:
        bound.close()
        if error.errno is None:  # Python's own, of a path that is too long
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)) from None
        raise
    finally:
        os.umask(umask)
    file.adopt()
    return bound, file


class UnixSocketFile:
    """The file of a Unix socket, before it is bound and after the server is gone.

    Differs from Daphne, which keeps a ``.lock`` link beside the socket: whether somebody listens
    is asked by connecting.
    """

    def __init__(self, path: str) -> None:
        from pathlib import Path

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
