"""/ws/live/<stream_id>/: one stream's signalling, viewers, comments and moderation.

Pictures and sound go from browser to browser (WebRTC); this socket carries what they need to find
each other. Groups: `live_<stream_id>` is everybody, `viewer_<user id>_<stream_id>` one user.
"""

from typing import Any, ClassVar

from channels.db import database_sync_to_async

from core.frames import make_frame, send_frames
from core.payload import RequestError, id_field, text_field
from core.socket_consumer import SocketConsumer

from . import services
from .models import LiveStream, StreamComment, StreamMember
from .services import STREAMER

MAX_COMMENT = 2000  # characters
MAX_SDP = 100_000
KICKED = 4003  # close code


def comment_data(comment: StreamComment) -> dict[str, Any]:
    return {
        "id": comment.pk,
        "user_id": comment.user_id,
        "username": comment.user.get_username(),
        "role": comment.role,
        "text": comment.text,
        "highlighted": comment.role == StreamMember.Role.VIP,
        "created_at": comment.created_at.isoformat(),
    }


class LiveStreamConsumer(SocketConsumer):
    actions: ClassVar = {
        "stream_started": "start_stream",
        "stream_ended": "end_stream",
        "webrtc_offer": "offer",
        "webrtc_answer": "answer",
        "ice_candidate": "ice_candidate",
        "comment": "comment",
        "delete_comment": "delete_comment",
        "kick_user": "kick_user",
        "grant_role": "grant_role",
    }

    # ---- coming and going

    async def enter(self) -> bool:
        stream_id = self.scope["url_route"]["kwargs"]["stream_id"]
        self.place = await database_sync_to_async(services.enter)(self.user, stream_id)
        if self.place is None:
            return False
        self.viewers = await self.count_viewers()
        return True

    @property
    def stream(self) -> LiveStream:
        return self.place.stream

    @property
    def everybody(self) -> str:
        return f"live_{self.stream.stream_id}"

    def sockets_of(self, user_id: int) -> str:
        return f"viewer_{user_id}_{self.stream.stream_id}"

    async def count_viewers(self) -> int:
        return await database_sync_to_async(services.count_viewers)(self.stream)

    def groups_to_join(self) -> list[str]:
        return [self.everybody, self.sockets_of(self.user.pk)]

    def greeting(self) -> dict[str, Any]:
        return {
            "stream_id": self.stream.stream_id,
            "streamer_id": self.stream.streamer_id,
            "role": self.place.role,
            "status": self.stream.status,
            "viewers_count": self.viewers,
        }

    async def joined(self) -> None:
        await self.tell_about_me("user_joined")
        await self.tell_viewers()

    async def left(self) -> None:
        if await database_sync_to_async(services.leave)(self.place):
            await self.tell_end()
        elif not await database_sync_to_async(services.is_ended)(self.stream):
            await self.tell_about_me("user_left")
            await self.tell_viewers()

    async def tell_about_me(self, type: str) -> None:
        if self.place.role != STREAMER:
            data = {"username": self.user.get_username(), "role": self.place.role}
            frame = make_frame(type, {"user_id": self.user.pk, **data})
            await send_frames(self.sockets_of(self.stream.streamer_id), frame)

    async def tell_viewers(self) -> None:
        await self.tell("viewers_update", viewers_count=await self.count_viewers())

    async def tell(self, type: str, **data: Any) -> None:
        await send_frames(self.everybody, make_frame(type, data))

    def need_role(self, *roles: str) -> None:
        if self.place.role not in roles:
            raise RequestError("forbidden", "Your role does not allow this.")

    # ---- the stream

    async def start_stream(self, data: dict[str, Any]) -> None:
        self.need_role(STREAMER)
        await database_sync_to_async(services.start)(self.stream)
        await self.tell("stream_started", stream_id=self.stream.stream_id, streamer_id=self.user.pk)

    async def end_stream(self, data: dict[str, Any]) -> None:
        self.need_role(STREAMER)
        if await database_sync_to_async(services.end)(self.stream):
            await self.tell_end()

    async def tell_end(self) -> None:
        frame = make_frame("stream_ended", {"stream_id": self.stream.stream_id})
        await self.channel_layer.group_send(self.everybody, {"type": "push.end", "frame": frame})

    async def push_end(self, event: dict[str, Any]) -> None:
        await self.send_frame(event["frame"])
        await self.close(1000)

    # ---- signalling

    async def offer(self, data: dict[str, Any]) -> None:
        self.need_role(STREAMER)
        sdp = text_field(data, "sdp", limit=MAX_SDP)
        await self.signal(await self.viewer_in(data), "webrtc_offer", sdp=sdp)

    async def answer(self, data: dict[str, Any]) -> None:
        self.need_role(*StreamMember.Role.values)
        sdp = text_field(data, "sdp", limit=MAX_SDP)
        await self.signal(self.stream.streamer_id, "webrtc_answer", sdp=sdp)

    async def ice_candidate(self, data: dict[str, Any]) -> None:
        candidate = data.get("candidate")
        if not isinstance(candidate, dict):
            raise RequestError("invalid_payload", "candidate must be an object.")
        is_streamer = self.place.role == STREAMER
        target = await self.viewer_in(data) if is_streamer else self.stream.streamer_id
        await self.signal(target, "ice_candidate", candidate=candidate)

    async def viewer_in(self, data: dict[str, Any]) -> int:
        user_id = id_field(data, "target_user_id")
        is_viewer = user_id != self.stream.streamer_id
        is_there = await database_sync_to_async(services.is_connected)(self.stream, user_id)
        if not (is_viewer and is_there):
            raise RequestError("not_found", "This user is not connected.")
        return user_id

    async def signal(self, user_id: int, type: str, **data: Any) -> None:
        frame = make_frame(type, {"from_user_id": self.user.pk, **data})
        await send_frames(self.sockets_of(user_id), frame)

    # ---- comments and moderation

    async def comment(self, data: dict[str, Any]) -> None:
        text = text_field(data, "text", limit=MAX_COMMENT)
        add = database_sync_to_async(services.add_comment)
        comment = await add(self.place, self.user, text)
        await self.tell("comment", **comment_data(comment))

    async def delete_comment(self, data: dict[str, Any]) -> None:
        self.need_role(STREAMER, StreamMember.Role.MODERATOR)
        comment_id = id_field(data, "comment_id")
        await database_sync_to_async(services.delete_comment)(self.stream, comment_id)
        await self.tell("comment_deleted", comment_id=comment_id, by=self.user.pk)

    async def kick_user(self, data: dict[str, Any]) -> None:
        self.need_role(STREAMER, StreamMember.Role.MODERATOR)
        user_id = id_field(data, "user_id")
        await database_sync_to_async(services.kick)(self.stream, user_id)
        frame = make_frame("kicked", {"by": self.user.pk})
        event = {"type": "push.kick", "frame": frame}
        await self.channel_layer.group_send(self.sockets_of(user_id), event)

    async def push_kick(self, event: dict[str, Any]) -> None:
        await self.send_frame(event["frame"])
        await self.close(KICKED)

    async def grant_role(self, data: dict[str, Any]) -> None:
        self.need_role(STREAMER)
        user_id, role = id_field(data, "user_id"), data.get("role")
        if role not in StreamMember.Role.values:
            raise RequestError("invalid_payload", "role must be vip, moderator or viewer.")
        await database_sync_to_async(services.grant_role)(self.stream, user_id, role)
        frame = make_frame("role_changed", {"user_id": user_id, "role": role})
        event = {"type": "push.role", "frame": frame}
        await self.channel_layer.group_send(self.everybody, event)

    async def push_role(self, event: dict[str, Any]) -> None:
        data = event["frame"]["data"]
        if data["user_id"] == self.user.pk:
            self.place.role = data["role"]
        await self.send_frame(event["frame"])
