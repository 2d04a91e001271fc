"""The readings (`lecturas`): a value and its unit, of a sensor that exists at that moment."""

from fastapi import BackgroundTasks

from ..core.events import EventEmitter
from .sensor_service import SensorService
from .store import Entity, Store


class LecturaService(Store):
    entity_type = "lectura"

    def __init__(self, emitter: EventEmitter, sensors: SensorService) -> None:
        super().__init__(emitter)
        self._sensors = sensors

    def create(self, fields: Entity, background: BackgroundTasks) -> Entity:
        self._sensors.get(fields["sensor_id"])
        return super().create(fields, background)

    def update(self, entity_id: int, fields: Entity, background: BackgroundTasks) -> Entity:
        if "sensor_id" in fields:
            self._sensors.get(fields["sensor_id"])
        return super().update(entity_id, fields, background)
