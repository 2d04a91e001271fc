"""Fails in ways that a client chooses: /same always alike, /each/TEXT with a text of its own,
/group/TEXT inside a group, /callback in a callback of the loop."""

import asyncio
from typing import Any

from apps.reports import text


class Several(Exception):
    """As an exception group, which Python 3.10 doesn't have."""

    def __init__(self, *members: Exception) -> None:
        super().__init__("unhandled errors (1 sub-exception)")
        self.exceptions = members


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("HTTP only")
    _, how, *rest = scope["path"].split("/")
    if how == "same":
        raise LookupError("always the same")
    if how == "each":
        raise LookupError("".join(rest))
    if how == "group":
        raise Several(LookupError("".join(rest)))
    if how == "callback":
        asyncio.get_running_loop().call_soon(fail)
    await text(send, "well")


def fail() -> None:
    raise LookupError("in a callback")
