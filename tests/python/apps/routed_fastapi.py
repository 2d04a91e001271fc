"""FastAPI with the middleware of docs/observing.md."""

from typing import Any

from fastapi import FastAPI


class NameRoute:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_named(message: Any) -> None:
            if message["type"] == "http.response.start" and (route := scope.get("route")):
                name = (b"cppasgi-route", route.path.encode())
                message["headers"] = [*message.get("headers", []), name]
            await send(message)

        await self.app(scope, receive, send_named)


app = FastAPI()
app.add_middleware(NameRoute)


@app.get("/items/{number}")
async def item(number: int) -> int:
    return number
