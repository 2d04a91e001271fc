"""What happens to a cell: a client's departure, silence, or something done to the server.

Each returns what the client saw of it, and lets the application go on at the right time.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

from clients import Client
from matrix import Cell

from servers import GRACEFUL, LIMIT, Server

NOTICED = 0.15  # seconds within which a server has heard of something
SOON = 4.0  # seconds for what must come without waiting for a time-out


def close(server: Server, client: Client, cell: Cell) -> str:
    client.wire.close()
    return _released(server, client)


def reset(server: Server, client: Client, cell: Cell) -> str:
    client.wire.reset()
    return _released(server, client)


def _released(server: Server, client: Client) -> str:
    time.sleep(NOTICED)
    server.release(client.key)
    return "gone"


def half_close(server: Server, client: Client, cell: Cell) -> str:
    """The client sends no more, but reads on."""
    client.wire.sock.shutdown(socket.SHUT_WR)
    time.sleep(NOTICED)
    server.release(client.key)
    seen = client.rest(SOON)
    client.wire.close()
    return seen


def silence(server: Server, client: Client, cell: Cell) -> str:
    """The client does nothing: it reads, if it does, only once the server must have acted."""
    if cell.big:
        time.sleep(3 * LIMIT + 1)
    seen = client.rest(4 * LIMIT + 1)
    server.release(client.key)
    client.wire.close()
    return seen


def sigterm(server: Server, client: Client, cell: Cell) -> str:
    return _stopped(server, client, signal.SIGTERM)


def sighup(server: Server, client: Client, cell: Cell) -> str:
    return _stopped(server, client, signal.SIGHUP)


def _stopped(server: Server, client: Client, signum: signal.Signals) -> str:
    mine = server.bystanders[server.worker_of(client.key, client.port)]
    for bystander in server.bystanders.values():
        bystander.stop_expected = True
    server.process.send_signal(signum)
    mine.ended.wait(15)  # with workers, a successor starts before this one drains
    time.sleep(NOTICED)
    client.complete_request()
    server.release(client.key)
    seen = client.rest(GRACEFUL + SOON)
    client.wire.close()
    return seen


def kill_neighbour(server: Server, client: Client, cell: Cell) -> str:
    """Another worker dies; this client's goes on."""
    mine = server.worker_of(client.key, client.port)
    neighbour = next(pid for pid in server.bystanders if pid != mine)
    server.bystanders.pop(neighbour).close()
    os.kill(neighbour, signal.SIGKILL)
    server.killed = time.monotonic()
    time.sleep(2 * NOTICED)
    client.complete_request()
    server.release(client.key)
    stays = client.app.websocket or client.app.endless or cell.moment == "idle"
    seen = client.rest(0.5 if stays else SOON)
    client.wire.close()
    return seen


EVENTS: dict[str, Callable[[Server, Client, Cell], str]] = {
    event.__name__: event
    for event in (close, reset, half_close, silence, sigterm, sighup, kill_neighbour)
}
