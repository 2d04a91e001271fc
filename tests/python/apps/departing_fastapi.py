"""FastAPI whose work isn't over with the response: what is committed, sent and removed after it.

Every path ends with a key, under which what happened is noted in order: GET /report/KEY.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from apps.reports import REPORTS, serve_report

WORK = 0.4  # seconds
LARGE = 8_000_000  # bytes, more than a client's kernel takes


def note(key: str, what: str) -> None:
    REPORTS.setdefault(key, []).append(what)


async def session(key: str) -> AsyncIterator[None]:
    """A transaction."""
    try:
        yield
        note(key, "commit")
    except BaseException as error:
        note(key, f"rollback for {type(error).__name__}")
        raise


Session = Annotated[None, Depends(session)]


class PassThrough(BaseHTTPMiddleware):
    """The middleware that most sites have one of."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


def site(*middleware: Any) -> FastAPI:
    app = FastAPI()
    for each in middleware:
        app.add_middleware(each)

    @app.post("/order/{key}")
    async def order(key: str, _: Session, tasks: BackgroundTasks) -> str:
        tasks.add_task(note, key, "mail")
        await asyncio.sleep(WORK)
        return "stored"

    @app.post("/sync-order/{key}")
    def sync_order(key: str, _: Session, tasks: BackgroundTasks) -> str:
        tasks.add_task(note, key, "mail")
        time.sleep(WORK)
        return "stored"

    @app.get("/large/{key}")
    async def large(key: str, _: Session, tasks: BackgroundTasks) -> Response:
        tasks.add_task(note, key, "mail")
        return Response(b"x" * LARGE, background=tasks)

    @app.get("/export/{key}")
    async def export(key: str) -> Response:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(b"x" * LARGE)

        def remove() -> None:
            Path(file.name).unlink()
            note(key, "removed")

        return FileResponse(file.name, background=BackgroundTask(remove))

    @app.get("/events/{key}")
    async def events(key: str) -> Response:
        async def parts() -> AsyncIterator[str]:
            try:
                yield "data: first\n\n"
                await asyncio.Event().wait()
            finally:
                note(key, "closed")

        return StreamingResponse(parts(), media_type="text/event-stream")

    return app


plain = site()
middleware = site(PassThrough)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """/middleware/... is behind one."""
    if scope["path"].startswith("/report/"):
        await serve_report(scope, send)
    elif scope["path"].startswith("/middleware/"):
        path = scope["path"].removeprefix("/middleware")
        await middleware({**scope, "path": path, "raw_path": path.encode()}, receive, send)
    else:
        await plain(scope, receive, send)
