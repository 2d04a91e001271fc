"""What the streams do with their database. Ordinary synchronous Django, no read before a write in a
transaction: SQLite fails such a one while another wrote.
"""

from dataclasses import dataclass

from django.db import transaction

from core.payload import RequestError

from .models import LiveStream, StreamComment, StreamMember, StreamSocket

Status = LiveStream.Status
STREAMER = "streamer"


@dataclass
class Place:
    """One socket's place in a stream."""

    stream: LiveStream
    socket: StreamSocket
    role: str


def role_in(stream: LiveStream, user) -> str:
    if user.pk == stream.streamer_id:
        return STREAMER
    if user.is_staff:
        return StreamMember.Role.MODERATOR
    member = StreamMember.objects.filter(stream=stream, user=user).first()
    return member.role if member else StreamMember.Role.VIEWER


def enter(user, stream_id: str) -> Place | None:
    """Take a place in a stream, which the first socket makes; None when the user may not."""
    stream, _ = LiveStream.objects.get_or_create(stream_id=stream_id, defaults={"streamer": user})
    kicked = StreamMember.objects.filter(stream=stream, user=user, is_kicked=True)
    if stream.status == Status.ENDED or kicked.exists():
        return None
    role = role_in(stream, user)
    return Place(stream, StreamSocket.objects.create(stream=stream, user=user), role)


def leave(place: Place) -> bool:
    """Give a place up; return whether that ended the stream, its streamer having left."""
    with transaction.atomic():
        # The write comes first and holds the lock, so two last sockets cannot both see another.
        place.socket.delete()
        if place.role != STREAMER or is_connected(place.stream, place.socket.user_id):
            return False
        return end(place.stream)


def start(stream: LiveStream) -> None:
    LiveStream.objects.filter(pk=stream.pk, status=Status.WAITING).update(status=Status.LIVE)


def end(stream: LiveStream) -> bool:
    """End a stream; return whether it had not ended yet."""
    running = LiveStream.objects.filter(pk=stream.pk).exclude(status=Status.ENDED)
    return bool(running.update(status=Status.ENDED))


def is_ended(stream: LiveStream) -> bool:
    return LiveStream.objects.filter(pk=stream.pk, status=Status.ENDED).exists()


def count_viewers(stream: LiveStream) -> int:
    return stream.sockets.exclude(user=stream.streamer_id).count()


def is_connected(stream: LiveStream, user_id: int) -> bool:
    return stream.sockets.filter(user=user_id).exists()


def add_comment(place: Place, user, text: str) -> StreamComment:
    return StreamComment.objects.create(stream=place.stream, user=user, role=place.role, text=text)


def delete_comment(stream: LiveStream, comment_id: int) -> None:
    there = stream.comments.filter(pk=comment_id, is_deleted=False)
    if not there.update(is_deleted=True):
        raise RequestError("not_found", "No such comment.")


def kick(stream: LiveStream, user_id: int) -> None:
    need_other_connected(stream, user_id)
    StreamMember.objects.get_or_create(stream=stream, user_id=user_id)
    StreamMember.objects.filter(stream=stream, user=user_id).update(is_kicked=True)


def grant_role(stream: LiveStream, user_id: int, role: str) -> None:
    need_other_connected(stream, user_id)
    if stream.sockets.filter(user=user_id, user__is_staff=True).exists():
        raise RequestError("forbidden", "Staff are moderators everywhere.")
    StreamMember.objects.get_or_create(stream=stream, user_id=user_id)
    StreamMember.objects.filter(stream=stream, user=user_id).update(role=role)


def need_other_connected(stream: LiveStream, user_id: int) -> None:
    if user_id == stream.streamer_id:
        raise RequestError("forbidden", "Not with the streamer.")
    if not is_connected(stream, user_id):
        raise RequestError("not_found", "This user is not connected.")
