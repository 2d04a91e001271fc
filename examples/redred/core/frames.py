"""The frames that clients receive, `{"type", "data", "timestamp", "metadata"}`, on their way there.

A frame reaches sockets through a group of the channel layer; `SocketConsumer.push_frames` takes it
on there. `except_user` is the id of a user whose sockets don't get it, `only_user` the opposite.
"""

from typing import Any

from channels.layers import get_channel_layer
from django.utils import timezone

Frame = dict[str, Any]


def make_frame(type: str, data: dict[str, Any]) -> Frame:
    return {
        "type": type,
        "data": data,
        "timestamp": timezone.now().isoformat(),
        "metadata": {},
    }


async def send_frames(
    group: str, *frames: Frame, except_user: int | None = None, only_user: int | None = None
) -> None:
    await get_channel_layer().group_send(
        group,
        {
            "type": "push.frames",
            "frames": list(frames),
            "except_user": except_user,
            "only_user": only_user,
        },
    )
