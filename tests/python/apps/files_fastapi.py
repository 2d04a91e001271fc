"""FastAPI that serves files, behind the middlewares that people put in front of it.

Of Starlette and of PyPI, used as their documentation shows. The folder is given as users write it:
relative to the working directory.
"""

from typing import Any

from brotli_asgi import BrotliMiddleware
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from zstd_asgi import ZstdMiddleware

FOLDER = "apps"
FILE = "apps/http_paths.py"


class SumMiddleware(BaseHTTPMiddleware):
    """Reads the content of responses, as those do that sign, cache or log it."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response: Any = await call_next(request)
        content = b"".join([part async for part in response.body_iterator])
        headers = {**response.headers, "x-sum": str(sum(content))}
        return Response(content, response.status_code, headers)


def site(middleware: Any = None) -> FastAPI:
    app = FastAPI()
    if middleware is not None:
        app.add_middleware(middleware)
    app.mount("/static", StaticFiles(directory=FOLDER))

    @app.get("/file")
    async def file() -> FileResponse:
        return FileResponse(FILE)

    return app


plain = site()
gzip = site(GZipMiddleware)
brotli = site(BrotliMiddleware)
zstd = site(ZstdMiddleware)
summed = site(SumMiddleware)
