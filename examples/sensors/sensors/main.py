"""The ASGI application: `cppasgi sensors.main:app`.

Sensors and their readings over REST, and what happens to them live over WebSockets. Everything is
kept in the memory of this process, so run one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from .api.v1 import auth, health, lecturas, sensores, websocket
from .core.events import EventEmitter
from .core.users import demo_users
from .core.websocket_manager import WebSocketManager
from .services.lectura_service import LecturaService
from .services.sensor_service import SensorService
from .services.store import NotFound

HERE = Path(__file__).resolve().parent
API = "/api/v1"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = app.state
    state.users = demo_users()
    state.manager = WebSocketManager()
    state.emitter = EventEmitter(state.manager)
    state.sensors = SensorService(state.emitter)
    state.lecturas = LecturaService(state.emitter, state.sensors)
    state.lifespan = True
    yield
    await state.manager.close_all(1001)


app = FastAPI(title="Sensor events", lifespan=lifespan, redirect_slashes=False)
app.state.lifespan = False
app.include_router(auth.router, prefix=API)
app.include_router(health.router, prefix=API)
app.include_router(websocket.router, prefix=API)
logged_in = [Depends(auth.current_user)]
app.include_router(
    sensores.router, prefix=f"{API}/sensores", dependencies=logged_in, tags=["sensores"]
)
app.include_router(
    lecturas.router, prefix=f"{API}/lecturas", dependencies=logged_in, tags=["lecturas"]
)
app.include_router(sensores.router, prefix=f"{API}/test-sensors", tags=["without login"])
app.include_router(lecturas.router, prefix=f"{API}/test-lecturas", tags=["without login"])
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


@app.exception_handler(NotFound)
async def not_found(request: Request, error: NotFound) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=404)


@app.get("/", include_in_schema=False)
async def front_page() -> FileResponse:
    return FileResponse(HERE / "static" / "index.html")


@app.get("/websocket_client.html", include_in_schema=False)
async def websocket_client() -> FileResponse:
    return FileResponse(HERE.parent / "websocket_client.html")
