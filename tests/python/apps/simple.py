"""Applications for the command line's tests: a nested one, an ASGI 2 one, none at all."""

from typing import Any

from apps.reports import text


class Holder:
    """Holds an application as an attribute."""

    @staticmethod
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await text(send, "nested")


class Asgi2:
    """An ASGI 2 application: called twice."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await text(send, f"asgi2 {self.scope['path']}")


holder = Holder()
number = 7


async def working_folder(scope: Any, receive: Any, send: Any) -> None:
    """Imports a module of the working directory during a request."""
    import apps.reports

    await text(send, apps.reports.__name__)


async def loop_name(scope: Any, receive: Any, send: Any) -> None:
    """Says which event loop runs."""
    import asyncio

    loop = asyncio.get_running_loop()
    await text(send, f"{type(loop).__module__}.{type(loop).__name__} debug={loop.get_debug()}")
