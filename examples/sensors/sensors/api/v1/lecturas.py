"""REST for readings (`lecturas`), mounted twice like that for sensors."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request
from pydantic import BaseModel, FiniteFloat

from ...services.lectura_service import LecturaService
from .sensores import Text

router = APIRouter()


class NewLectura(BaseModel):
    sensor_id: int
    valor: FiniteFloat
    unidad: Text


class LecturaChange(BaseModel):
    """What is left out stays as it is."""

    sensor_id: int = 0
    valor: FiniteFloat = 0.0
    unidad: Text = ""


class Lectura(NewLectura):
    id: int
    created_at: datetime
    updated_at: datetime


async def lectura_service(request: Request) -> LecturaService:
    return request.app.state.lecturas


Service = Annotated[LecturaService, Depends(lectura_service)]


@router.get("/", response_model=list[Lectura])
async def list_lecturas(service: Service) -> Any:
    return service.list()


@router.post("/", status_code=201, response_model=Lectura)
async def create_lectura(body: NewLectura, service: Service, background: BackgroundTasks) -> Any:
    return service.create(body.model_dump(), background)


@router.get("/{lectura_id}", response_model=Lectura)
async def get_lectura(lectura_id: int, service: Service) -> Any:
    return service.get(lectura_id)


@router.put("/{lectura_id}", response_model=Lectura)
async def update_lectura(
    lectura_id: int, body: LecturaChange, service: Service, background: BackgroundTasks
) -> Any:
    return service.update(lectura_id, body.model_dump(exclude_unset=True), background)


@router.delete("/{lectura_id}", status_code=204)
async def delete_lectura(lectura_id: int, service: Service, background: BackgroundTasks) -> None:
    service.delete(lectura_id, background)
