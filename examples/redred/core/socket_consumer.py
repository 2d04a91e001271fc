"""What the three consumers share: refusal, groups, greeting, frames in and out, errors.

A subclass names its client frames in `actions`, decides in `enter` who may come in, and says in
`joined` and `left` what others are told.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, ClassVar

from channels.generic.websocket import AsyncJsonWebsocketConsumer

from .frames import Frame, make_frame
from .payload import RequestError, read_object

logger = logging.getLogger("redred")


class SocketConsumer(AsyncJsonWebsocketConsumer):
    actions: ClassVar[dict[str, str]] = {}  # type of a client frame -> name of the method
    has_entered = False

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        # disconnect() is skipped when a handler raised.
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.leave()

    async def disconnect(self, code: int) -> None:
        # Already here: channels_redis now and then overlooks that Channels, at the end of the call
        # above, cancels its waiting for messages.
        await self.leave()

    async def leave(self) -> None:
        if self.has_entered:
            self.has_entered = False
            await self.left()

    async def connect(self) -> None:
        self.user = self.scope["user"]
        if not self.user.is_authenticated or not await self.enter():
            await self.close()  # before accept: the client sees HTTP 403
            return
        self.has_entered = True
        # Groups first: who has read the greeting misses nothing.
        for group in self.groups_to_join():
            await self.channel_layer.group_add(group, self.channel_name)
            self.groups.append(group)  # Channels leaves these when the socket closes
        await self.accept()
        await self.send_frame(
            make_frame("connection_established", {"user_id": self.user.pk, **self.greeting()})
        )
        await self.joined()

    async def enter(self) -> bool:
        """Return whether the user may come in; `left` follows if so, however the socket ends."""
        return True

    def groups_to_join(self) -> list[str]:
        return []

    def greeting(self) -> dict[str, Any]:
        return {}

    async def joined(self) -> None:
        pass

    async def left(self) -> None:
        pass

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        try:
            if text_data is None:
                raise RequestError("invalid_json", "Binary frames are not used here.")
            await self.receive_json(read_object(text_data))
        except RequestError as error:
            logger.info("user %s: %s", self.user.pk, error.code)
            data = {"code": error.code, "message": error.message}
            await self.send_frame(make_frame("error", data))

    async def receive_json(self, content: Frame, **kwargs: Any) -> None:
        kind, data = content.get("type"), content.get("data", {})
        if not isinstance(kind, str) or kind not in self.actions:
            raise RequestError("unknown_type", "This type of frame is not known here.")
        if not isinstance(data, dict):
            raise RequestError("invalid_payload", "data must be an object.")
        await getattr(self, self.actions[kind])(data)

    async def push_frames(self, event: dict[str, Any]) -> None:
        """Frames from the channel layer, see frames.py."""
        if event["except_user"] != self.user.pk and event["only_user"] in (None, self.user.pk):
            for frame in event["frames"]:
                await self.send_frame(frame)

    async def send_frame(self, frame: Frame) -> None:
        # OSError: the client has just left. Its websocket.disconnect is on the way.
        with suppress(OSError):
            await self.send_json(frame)
