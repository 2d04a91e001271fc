"""The matrix: which applications meet which event at which moment, and what is left out and why.

A cell is one combination. Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import django


@dataclass(frozen=True)
class Application:
    """A kind of application, by the first part of its path.

    Attributes:
        framework: whose code calls it.
        endless: its answer has no end.
        pauses_during: it can stop between two parts of its answer. The others make it in one go
            (Django collects a synchronous stream before it sends it), so that "during" is a
            client that has read a part of a long one.
        database: it asks PostgreSQL.
    """

    name: str
    framework: str
    websocket: bool = False
    endless: bool = False
    pauses_during: bool = False
    database: bool = True


APPLICATIONS = [
    Application("dj_sync", "Django"),
    Application("dj_async", "Django"),
    Application("dj_sync_stream", "Django"),
    Application("dj_async_stream", "Django", pauses_during=True),
    Application("dj_file", "Django"),
    Application("dj_sse", "Django", endless=True),
    Application("raw", "none", pauses_during=True, database=False),
    Application("sl_stream", "Starlette", pauses_during=True, database=False),
    Application("sl_file", "Starlette", database=False),
    Application("ws_sync", "Channels", websocket=True, pauses_during=True),
    Application("ws_async", "Channels", websocket=True, pauses_during=True),
    Application("ws_raw", "none", websocket=True, pauses_during=True, database=False),
]

# What happens. A client's departure, time-outs, and what is done to the server.
DEPARTURES = ("close", "reset", "half_close")
SERVER_EVENTS = ("sigterm", "sighup", "kill_neighbour")
EVENTS = (*DEPARTURES, "silence", *SERVER_EVENTS)

MOMENTS = {
    "half_head": "a half of the request's head has come",
    "half_body": "a half of the request's content has come",
    "connecting": "the consumer's connect() runs",
    "before": "the application works on the answer",
    "during": "a part of the answer has left",
    "idle": "the answer is complete and the connection is kept, or a WebSocket is open",
    "cleanup": "response.close(), disconnect() or a finally runs",
}

# One of each framework reads the whole request before its application runs, so one is enough.
READS_CONTENT = ("dj_async", "raw", "sl_stream")


def senseless(app: Application, event: str, moment: str) -> str | None:
    """Says why a combination is left out, or returns None."""
    if moment == "half_head" and app.name not in ("raw", "ws_raw"):
        return "no application is called before the head is there: one of each protocol is enough"
    if moment == "half_body" and app.websocket:
        return "a handshake has no content"
    if moment == "half_body" and app.name not in READS_CONTENT:
        return "content is read by the framework: one application of each is enough"
    if moment == "connecting" and not app.websocket:
        return "only a WebSocket has a handshake that the application answers"
    if moment == "idle" and app.endless:
        return "the answer never ends"
    if moment == "cleanup" and event == "silence":
        return "a client that has its answer may be silent; nothing runs out"
    if moment == "cleanup" and app.endless and event not in SERVER_EVENTS:
        return "its clean-up begins when the client leaves, who can't leave once more"
    if app.name == "dj_sse" and django.VERSION < (5,):
        return "Django 4 neither listens for the end nor cleans up after a stream without one"
    return None


def django_drops_the_response(cell: Cell) -> bool:
    """A synchronous view can't be cancelled: it returns a response after its client has left.

    Django has stopped waiting for it by then, and never calls close() of that response, whatever
    the server. What the response holds lasts until Python collects garbage.
    """
    return (
        cell.app.name in ("dj_sync", "dj_sync_stream", "dj_file")
        and cell.moment == "before"
        and cell.event in ("close", "reset", "silence")
    )


@dataclass(frozen=True)
class Cell:
    """One combination, on one kind of server.

    Attributes:
        database: "pool" (Django's pool of connections) or "plain" (a connection for each use).
        layer: "memory" or "redis", the channel layer.
    """

    app: Application
    event: str
    moment: str
    database: str = "pool"
    layer: str = "memory"

    def __str__(self) -> str:
        more = [name for name in (self.database, self.layer) if name not in ("pool", "memory")]
        return "-".join([self.app.name, self.event, self.moment, *more])

    @property
    def stops(self) -> bool:
        """Whether the client's process ends."""
        return self.event in ("sigterm", "sighup")

    @property
    def big(self) -> bool:
        """Whether the answer is more than the kernel takes for a client that doesn't read."""
        if self.moment != "during" or self.app.websocket:
            return False
        return self.event == "silence" or not (self.app.pauses_during or self.app.endless)

    @property
    def quiet(self) -> bool:
        """Whether a stream says nothing after its first part: somebody must end it."""
        return self.app.endless and self.event == "half_close"

    @property
    def server(self) -> tuple[str, str, str]:
        """What server it needs: what kind, with which database and channel layer."""
        kinds = {
            "silence": "short time-outs",
            "sigterm": "of its own",
            "sighup": "workers",
            "kill_neighbour": "workers",
        }
        return (kinds.get(self.event, "plain"), self.database, self.layer)


def cells() -> list[Cell]:
    """All that make sense, those of one server together."""
    found = []
    for app in APPLICATIONS:
        for event in EVENTS:
            for moment in MOMENTS:
                if senseless(app, event, moment):
                    continue
                found.append(Cell(app, event, moment))
                found += [
                    Cell(app, event, moment, **other) for other in _variants(app, event, moment)
                ]
    return sorted(found, key=lambda cell: cell.server)


def _variants(app: Application, event: str, moment: str) -> Iterator[dict[str, str]]:
    """The same without a pool, and with Redis: where something may be left there."""
    if moment in ("half_head", "half_body", "idle"):
        return
    if app.database and event in ("close", "reset"):
        yield {"database": "plain"}
    if app.framework == "Channels" and event in ("close", "reset", "sigterm"):
        yield {"layer": "redis"}
