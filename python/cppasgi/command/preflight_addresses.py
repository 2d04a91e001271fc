"""Tries for ``--check`` what a start would listen on: each address is bound, and given up at once.

One that is in use is a warning only. The check goes before the restart of a server that runs, which
has the address itself; and where somebody else has it, the start that follows says so, too.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cppasgi.serving.listeners import ListenAddress, Listeners
from cppasgi.settings.endpoints import (
    DescriptorEndpoint,
    Endpoint,
    EndpointError,
    ListenError,
    SystemdEndpoint,
    TcpEndpoint,
    UnixEndpoint,
    format_address,
    parse_endpoint,
)

_LISTENS = "0A"
"""A state in /proc/net/tcp (include/net/tcp_states.h)."""


class Finding(NamedTuple):
    """One line for the operator; a warning doesn't keep the server from working."""

    text: str
    is_warning: bool = False


def address_findings(
    descriptions: Sequence[str], metrics: str | None, *, shared: bool
) -> Iterator[Finding]:
    """Tries every address.

    Args:
        descriptions: of the endpoints.
        metrics: that of the metrics' endpoint.
        shared: whether a TCP address may have several sockets of this server.
    """
    taken: list[ListenAddress] = []
    for description in [*descriptions, *([] if metrics is None else [metrics])]:
        try:
            endpoint = parse_endpoint(description)
            address = _trial(description)
        except EndpointError as error:
            yield Finding(str(error))
        except ListenError as error:
            yield from _failure(endpoint, error)
        else:
            if any(_overlap(address, other) for other in taken):
                works = shared and isinstance(endpoint, TcpEndpoint) and description != metrics
                text = f"{format_address(address)} is to be listened on twice"
                yield Finding(text, is_warning=works)
            taken.append(address)


def _trial(description: str) -> ListenAddress:
    """Binds an address, as a start would, and gives it up.

    Raises:
        ListenError: it can't be had.
    """
    listeners = Listeners([description], announced=False)
    (listener,) = listeners.open()
    listener.socket.close()
    listeners.remove_files()
    return listener.address


def _failure(endpoint: Endpoint, error: ListenError) -> Iterator[Finding]:
    cause = error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    if number == errno.EADDRINUSE:
        address, holder = _holder(endpoint)
        has = f"process {holder} has it" if holder else "a process has it that this user can't see"
        yield Finding(f"{address} is in use: {has}", is_warning=True)
    elif isinstance(endpoint, SystemdEndpoint) and os.environ.get("LISTEN_PID") != str(os.getpid()):
        return  # systemd passes its sockets to the service only, not to what goes before it
    else:
        not_here = isinstance(endpoint, DescriptorEndpoint) and number == errno.EBADF
        yield Finding(str(error).rstrip("."), is_warning=not_here)


def _overlap(one: ListenAddress, other: ListenAddress) -> bool:
    """Whether two sockets can't have these addresses."""
    if isinstance(one, str) and isinstance(other, str):
        return os.path.realpath(one) == os.path.realpath(other)
    if isinstance(one, str) or isinstance(other, str):
        return False
    hosts = {one[0], other[0]}
    if one[1] != other[1]:
        return False
    is_ipv4 = not any(":" in host for host in hosts)
    return len(hosts) == 1 or "::" in hosts or ("0.0.0.0" in hosts and is_ipv4)


def _holder(endpoint: Endpoint) -> tuple[str, str]:
    """The address, and the process that has it: its number and name, or nothing."""
    if isinstance(endpoint, TcpEndpoint):
        address = format_address((endpoint.interface, endpoint.port))
        inodes = _listening(endpoint.port)
    elif isinstance(endpoint, UnixEndpoint):
        address = endpoint.address
        lines = Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:]
        inodes = {fields[6] for fields in map(str.split, lines) if fields[7:] == [address]}
    else:
        return "", ""
    return address, _process_with({f"socket:[{inode}]" for inode in inodes})


def _listening(port: int) -> set[str]:
    """The inodes of the sockets that listen on a TCP port."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                    inodes.add(inode)
    return inodes


def _process_with(sockets: set[str]) -> str:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it is another user's, or has ended
            if sockets & set(_descriptors(folder)):
                return f"{folder.name} ({(folder / 'comm').read_text().strip()})"
    return ""


def _descriptors(process: Path) -> Iterable[str]:
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            yield str(descriptor.readlink())
