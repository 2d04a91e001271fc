"""Private rooms of two and their messages."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ChatRoomQuerySet(models.QuerySet):
    def of(self, user) -> "ChatRoomQuerySet":
        return self.filter(Q(first=user) | Q(second=user))


class ChatRoom(models.Model):
    """A conversation of two. `first` is the one with the smaller user id, so a pair has one row.

    The counts say how many sockets each has open in this room, over all server processes.
    """

    first = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    second = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    first_sockets = models.PositiveIntegerField(default=0)
    second_sockets = models.PositiveIntegerField(default=0)

    objects = ChatRoomQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["first", "second"], name="room_per_pair"),)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"room_{self.pk}"

    @property
    def participants(self) -> list[int]:
        return [self.first_id, self.second_id]

    def other_than(self, user_id: int) -> int:
        return self.second_id if user_id == self.first_id else self.first_id

    def sockets_field(self, user_id: int) -> str:
        return "first_sockets" if user_id == self.first_id else "second_sockets"


class ChatMessage(models.Model):
    room = models.ForeignKey(ChatRoom, models.CASCADE, related_name="messages")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.sender}: {self.text[:40]}"
