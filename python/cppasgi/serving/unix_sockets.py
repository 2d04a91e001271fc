"""Makes Unix sockets in the file system, and removes their files, but nobody else's."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat

from cppasgi.settings.endpoints import UnixEndpoint

_MOST_BYTES = 107
"""Of the path of a Unix socket (unix(7))."""


def default_mode(umask: int) -> int:
    """The permissions of a socket where nobody says any.

    They are Daphne's, 666, so that a proxy that runs as another user may connect. But those whom
    the umask doesn't let read files may do nothing: 660 with a umask of 007 or 027, 600 with 077.
    """
    hidden = umask & 0o044
    return 0o666 & ~(hidden | hidden >> 1)


def bind_unix(endpoint: UnixEndpoint) -> tuple[socket.socket, UnixSocketFile]:
    """Makes a socket and its file, which has its permissions from its first moment on.

    Raises:
        OSError: it can't be had; see also `UnixSocketFile.remove_stale`.
    """
    file = UnixSocketFile(endpoint.address)
    file.remove_stale()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o777)
    try:
        mode = default_mode(umask) if endpoint.mode is None else endpoint.mode
        os.umask(~mode & 0o777)
        bound.bind(endpoint.address)
    except OSError as error:
        bound.close()
        if error.errno is None:  # Python's own, of a path that is too long
            raise OSError(errno.ENAMETOOLONG, f"More than {_MOST_BYTES} bytes") from None
        if error.errno == errno.ENOENT:
            raise OSError(errno.ENOENT, "No such folder") from None
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
        """Removes a socket of this user that no process has any more, and nothing else.

        Raises:
            OSError: a process has the socket, what is there is no socket or another user's, or it
                can't be looked at or removed.
        """
        try:
            found = os.open(self.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            self._check_stale(os.fstat(found))
            self._remove_only(found)
        finally:
            os.close(found)

    def _check_stale(self, status: os.stat_result) -> None:
        if not stat.S_ISSOCK(status.st_mode):
            raise OSError(errno.EEXIST, "File exists and is not a socket")
        # One for datagrams can't connect to a server's, but is refused only where no process has
        # any: also not by one that doesn't listen yet, as when it is starting.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            error = probe.connect_ex(str(self.path))
        if error in (0, errno.EPROTOTYPE):
            error = errno.EADDRINUSE
        if error != errno.ECONNREFUSED:
            raise OSError(error, os.strerror(error))
        if status.st_uid != os.geteuid():
            raise OSError(errno.EEXIST, "File exists and is not a socket of ours")

    def _remove_only(self, found: int) -> None:
        """Removes the file, which is open, unless another server has put its own in its place.

        That would be one that starts at the same time. Its file goes back to where it was.
        """
        aside = self.path.with_name(f".cppasgi-{os.getpid()}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        is_other = not os.path.samestat(aside.lstat(), os.fstat(found))
        if is_other:
            with contextlib.suppress(FileExistsError):
                os.link(aside, self.path)
        aside.unlink()
        if is_other:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def adopt(self) -> None:
        """Remembers the bound socket as ours."""
        status = self.path.lstat()
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
