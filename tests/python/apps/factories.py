"""What makes applications, and what doesn't."""

import functools
import os
from collections.abc import Callable
from typing import Any

from apps.reports import text


async def greet(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await text(send, os.environ.get("GREETING", "made"))


def make() -> Any:
    return greet


def make_with(greeting: str = "made", *, debug: bool = False) -> Any:
    return greet


make_partial = functools.partial(make_with, debug=True)


class Site:
    """Its instances are applications, not the class."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await greet(scope, receive, send)


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """An application, though it could be called without arguments."""

    async def wrapper(*arguments: Any, **keywords: Any) -> Any:
        return await function(*arguments, **keywords)

    return wrapper


app = wrapped(greet)
instance = Site()


def asgi2(scope: Any) -> Any:
    return functools.partial(greet, scope)


def failing() -> Any:
    raise KeyError("SECRET_KEY")


def forgetful() -> None:
    """Returns nothing."""


async def asynchronous() -> Any:
    return greet
