"""Whether the service is up, and whether its lifespan start-up ran."""

import os
from typing import Any

from fastapi import APIRouter, Request

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    return {
        "status": "ok",
        "channel_layer": None,
        "pid": os.getpid(),
        "lifespan": request.app.state.lifespan,
    }
