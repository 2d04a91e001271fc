"""What a user is told: one row for each notification."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class Notification(models.Model):
    class Type(models.TextChoices):
        FOLLOW = "follow"
        FOLLOW_BACK = "follow_back"
        LIKE = "like"
        COMMENT = "comment"
        REPLY = "reply"
        MENTION_POST = "mention_post"
        MENTION_COMMENT = "mention_comment"
        CHAT_MESSAGE = "chat_message"
        GROUP_MESSAGE = "group_message"

    # These are listed; the others are shown at once.
    MEDIUM = frozenset((Type.FOLLOW, Type.FOLLOW_BACK, Type.LIKE))

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    from_user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    notification_type = models.CharField(max_length=20, choices=Type.choices)
    message = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=["recipient", "read_at"]),)

    def __str__(self) -> str:
        return f"{self.notification_type} for {self.recipient}"

    @property
    def priority(self) -> str:
        return "medium" if self.notification_type in self.MEDIUM else "high"
