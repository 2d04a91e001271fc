"""What ``--daphne-strict`` brings back of Daphne's behaviour on the application's side.

Scopes have Daphne's keys and no others, their fields are grouped by name, and ``Daphne-Root-Path``
is believed from everybody. The other side of the flag is native
(`cppasgi._native.ServerOptions.daphne_strict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from cppasgi.settings.asgi import Application, Message, Receive, Send

_KEYS = {
    "http": (
        *("type", "http_version", "method", "path", "raw_path", "root_path", "scheme"),
        *("query_string", "headers", "client", "server"),
    ),
    "websocket": (
        *("type", "path", "raw_path", "root_path", "headers", "query_string"),
        *("client", "server", "subprotocols"),
    ),
}


def with_daphne_scopes(application: Application) -> Application:
    """Wraps an application so that it gets the scopes it would get from Daphne."""

    async def strict(
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        await application(daphne_scope(scope), receive, send)

    return strict


def daphne_scope(scope: Message) -> dict[str, Any]:
    """Returns the scope that Daphne would make: its keys only, addresses as lists.

    Fields of one name stand together, and in a WebSocket's scope are one field with commas.
    """
    result = {key: scope[key] for key in _KEYS[scope["type"]]}
    result["asgi"] = {"version": "3.0"}
    result["headers"] = []
    on_unix_socket = scope["client"] is None
    for key in ("client", "server"):
        result[key] = None if on_unix_socket else list(scope[key])
    grouped: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        grouped.setdefault(name, []).append(value)
    for root_path in grouped.pop(b"daphne-root-path", [])[-1:]:
        result["root_path"] = unquote(root_path.decode("ascii", "replace"))
    for name, values in grouped.items():
        if scope["type"] == "websocket":
            values = [b",".join(values)]
        result["headers"] += [(name, value) for value in values]
    return result
