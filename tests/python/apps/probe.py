"""The application behind most black-box tests: each path does one thing, and notes what it saw."""

from typing import Any

from apps import extension_paths, http_paths, websocket_paths
from apps.reports import serve_report


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Calls the function that the first part of the path names."""
    if scope["type"] == "lifespan":
        raise RuntimeError("this application has no lifespan")
    name, _, rest = scope["path"].lstrip("/").partition("/")
    if scope["type"] == "http" and name == "report":
        await serve_report(scope, send)
        return
    if scope["type"] == "http" and name == "extension":
        await extension_paths.serve(scope, receive, send, rest)
        return
    paths = http_paths if scope["type"] == "http" else websocket_paths
    handler = getattr(paths, name.replace("-", "_") or "root", None) or paths.not_found
    await handler(scope, receive, send, rest)
