"""A free port of this machine, for a server that can't be told 0 and asked which it got."""

import secrets
import socket

# Below those that Linux gives to outgoing connections (`ip_local_port_range`, from 32768 on): one
# of these may be a client's before the server, which starts a second later, can listen.
PORTS = range(10_000, 32_768)


def free_port() -> int:
    """Returns a TCP port where nothing listens on 127.0.0.1; another each time, all but surely.

    Not of `random`, which Hypothesis seeds alike in every process.
    """
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
