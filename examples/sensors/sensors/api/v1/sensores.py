"""REST for sensors. The router is mounted twice: with a token, and without for trying out.

The paths are exact: the list ends in a slash, items do not. What writes is `async def`, so the
events leave in the order of the requests.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request
from pydantic import BaseModel, StringConstraints

from ...services.sensor_service import SensorService

router = APIRouter()
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class NewSensor(BaseModel):
    tipo: Text
    modelo: Text


class SensorChange(BaseModel):
    """What is left out stays as it is."""

    tipo: Text = ""
    modelo: Text = ""


class Sensor(NewSensor):
    id: int
    created_at: datetime
    updated_at: datetime


async def sensor_service(request: Request) -> SensorService:
    return request.app.state.sensors


Service = Annotated[SensorService, Depends(sensor_service)]


@router.get("/", response_model=list[Sensor])
async def list_sensors(service: Service) -> Any:
    return service.list()


@router.post("/", status_code=201, response_model=Sensor)
async def create_sensor(body: NewSensor, service: Service, background: BackgroundTasks) -> Any:
    return service.create(body.model_dump(), background)


@router.get("/{sensor_id}", response_model=Sensor)
async def get_sensor(sensor_id: int, service: Service) -> Any:
    return service.get(sensor_id)


@router.put("/{sensor_id}", response_model=Sensor)
async def update_sensor(
    sensor_id: int, body: SensorChange, service: Service, background: BackgroundTasks
) -> Any:
    return service.update(sensor_id, body.model_dump(exclude_unset=True), background)


@router.delete("/{sensor_id}", status_code=204)
async def delete_sensor(sensor_id: int, service: Service, background: BackgroundTasks) -> None:
    service.delete(sensor_id, background)
