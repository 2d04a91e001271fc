"""Turns what happened into frames and sends them to the channel that is concerned."""

from typing import Any, Literal

from .websocket_manager import Frame, WebSocketManager, now

EventType = Literal["created", "updated", "deleted"]
VERBS = {"created": "create", "updated": "update", "deleted": "delete"}
CHANNEL_OF_ENTITY = {"sensor": "sensors", "lectura": "readings"}


class EventEmitter:
    def __init__(self, manager: WebSocketManager) -> None:
        self._manager = manager

    async def emit_entity(
        self,
        entity_type: str,
        event_type: EventType,
        data: dict[str, Any],
        updated_fields: list[str] | None = None,
    ) -> None:
        """Tell a sensor's or a reading's channel; `data` of a deletion is the last state."""
        metadata: dict[str, Any] = {"action": f"{VERBS[event_type]}_{entity_type}"}
        if updated_fields is not None:
            data = {**data, "updated_fields": updated_fields}
            metadata["fields_updated"] = updated_fields
        frame: Frame = {
            "type": "entity_event",
            "entity_type": entity_type,
            "event_type": event_type,
            "entity_id": data["id"],
            "data": data,
            "timestamp": now(),
            "metadata": metadata,
        }
        await self._manager.broadcast(CHANNEL_OF_ENTITY[entity_type], frame)

    async def emit_system(self, event_type: str, channel: str, data: dict[str, Any]) -> None:
        frame: Frame = {
            "type": "system_event",
            "event_type": event_type,
            "channel": channel,
            "data": data,
            "timestamp": now(),
            "metadata": {},
        }
        await self._manager.broadcast(channel, frame)
