"""What both services do: keep entities in memory, and have an event sent for each change.

The event goes out as a background task, after the response; the frames of one process leave in the
order of the requests.
"""

import itertools
from typing import Any, ClassVar

from fastapi import BackgroundTasks

from ..core.events import EventEmitter
from ..core.websocket_manager import now

Entity = dict[str, Any]


class NotFound(Exception):
    """There is no entity with this id."""


class Store:
    entity_type: ClassVar[str]

    def __init__(self, emitter: EventEmitter) -> None:
        self._emitter = emitter
        self._entities: dict[int, Entity] = {}
        self._ids = itertools.count(1)

    def list(self) -> list[Entity]:
        return list(self._entities.values())

    def get(self, entity_id: int) -> Entity:
        try:
            return self._entities[entity_id]
        except KeyError:
            raise NotFound(f"No such {self.entity_type}.") from None

    def create(self, fields: Entity, background: BackgroundTasks) -> Entity:
        created_at = now()
        entity = {
            "id": next(self._ids),
            **fields,
            "created_at": created_at,
            "updated_at": created_at,
        }
        self._entities[entity["id"]] = entity
        background.add_task(self._emitter.emit_entity, self.entity_type, "created", entity)
        return entity

    def update(self, entity_id: int, fields: Entity, background: BackgroundTasks) -> Entity:
        old = self.get(entity_id)
        changed = [name for name, value in fields.items() if old[name] != value]
        if not changed:
            return old
        entity = {**old, **fields, "updated_at": now()}
        self._entities[entity_id] = entity
        background.add_task(self._emitter.emit_entity, self.entity_type, "updated", entity, changed)
        return entity

    def delete(self, entity_id: int, background: BackgroundTasks) -> None:
        entity = self.get(entity_id)
        del self._entities[entity_id]
        background.add_task(self._emitter.emit_entity, self.entity_type, "deleted", entity)
