"""The sensors: what they measure (`tipo`) and what they are (`modelo`)."""

from .store import Store


class SensorService(Store):
    entity_type = "sensor"
