"""Classified ads, and the conversations about them and with the support."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ClassifiedAd(models.Model):
    publisher = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    price = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.title


class ChatRoom(models.Model):
    """One conversation: of an ad's publisher with a client, or of a publisher with the support."""

    publisher = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    ad = models.ForeignKey(ClassifiedAd, models.CASCADE, null=True, related_name="rooms")
    client = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+"
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["ad", "client"], name="room_per_ad_and_client"),
            models.UniqueConstraint(
                fields=["publisher"], condition=Q(ad=None), name="support_room_per_publisher"
            ),
        )

    def __str__(self) -> str:
        return self.group

    @property
    def group(self) -> str:
        """The group of the channel layer."""
        if self.ad_id is None:
            return f"chat_support_publisher_{self.publisher_id}"
        return f"chat_ad_{self.ad_id}_{self.client_id}"

    def role_of(self, user_id: int) -> str:
        if user_id == self.publisher_id:
            return "publisher"
        return "admin" if self.ad_id is None else "client"


class ChatMessage(models.Model):
    room = models.ForeignKey(ChatRoom, models.CASCADE, related_name="messages")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    message = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.sender}: {self.message[:40]}"
