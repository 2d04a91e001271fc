"""Live streams: roles, who is connected, comments."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class LiveStream(models.Model):
    class Status(models.TextChoices):
        WAITING = "waiting"
        LIVE = "live"
        ENDED = "ended"

    stream_id = models.CharField(max_length=64, unique=True)
    streamer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.stream_id


class StreamMember(models.Model):
    """What a user may do in one stream, where it differs from what viewers may."""

    class Role(models.TextChoices):
        VIEWER = "viewer"
        VIP = "vip"
        MODERATOR = "moderator"

    stream = models.ForeignKey(LiveStream, models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    is_kicked = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["stream", "user"], name="one_role_each"),)

    def __str__(self) -> str:
        return f"{self.user}: {self.role} of {self.stream_id}"


class StreamSocket(models.Model):
    """One open socket, of any server process."""

    stream = models.ForeignKey(LiveStream, models.CASCADE, related_name="sockets")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.user} in {self.stream_id}"


class StreamComment(models.Model):
    stream = models.ForeignKey(LiveStream, models.CASCADE, related_name="comments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    role = models.CharField(max_length=10)  # at the time of the comment
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    is_deleted = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.user}: {self.text[:40]}"
