"""Who gets which frame: the groups of the channel layer and what is sent to them.

user_<id>             the user's /ws/messaging/ sockets
thread_<id>           the sockets of /ws/messaging/thread/<id>/
conversation_<id>     messaging sockets that joined the thread; they get typing only
user_status           all /ws/user-status/ sockets
notifications_<id>    the user's /ws/notifications/ sockets
notifications_all     all of them

No socket is in two groups that get the same frame, so nobody gets one twice.
"""

from channels.layers import get_channel_layer

from . import frames
from .models import Message, Notification, Thread

USER_STATUS = "user_status"
NOTIFICATIONS_ALL = "notifications_all"


def user_group(user_id: int) -> str:
    return f"user_{user_id}"


def thread_group(thread_id: str) -> str:
    return f"thread_{thread_id}"


def conversation_group(thread_id: str) -> str:
    return f"conversation_{thread_id}"


def notifications_group(user_id: int) -> str:
    return f"notifications_{user_id}"


async def send_frame(groups: list[str], frame: frames.Frame, *, except_user: int | None = None):
    """Send a frame to groups; `SocketConsumer.push_frame` receives it."""
    layer = get_channel_layer()
    for group in groups:
        await layer.group_send(
            group, {"type": "push.frame", "frame": frame, "except_user": except_user}
        )


async def send_message(message: Message) -> None:
    thread: Thread = message.thread
    groups = [thread_group(thread.id), *map(user_group, thread.participants)]
    await send_frame(groups, frames.new_message(message))


async def send_receipt(message: Message, reader) -> None:
    groups = [thread_group(message.thread_id), user_group(message.sender_id)]
    await send_frame(groups, frames.message_read_receipt(message, reader))


async def send_typing(user, thread_id: str, is_typing: bool) -> None:
    groups = [thread_group(thread_id), conversation_group(thread_id)]
    frame = frames.typing_notification(user, thread_id, is_typing)
    await send_frame(groups, frame, except_user=user.pk)


async def send_status(frame: frames.Frame) -> None:
    await send_frame([USER_STATUS], frame)


async def send_notification(item: Notification) -> None:
    group = NOTIFICATIONS_ALL if item.user_id is None else notifications_group(item.user_id)
    await send_frame([group], frames.notification(item))
