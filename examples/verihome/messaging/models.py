"""Threads, their messages, presence and notifications.

Ids are opaque strings: a client may send any string for one, and a string that names nothing is
simply not found. Users are Django's own.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


def new_id() -> str:
    return uuid.uuid4().hex


class ThreadQuerySet(models.QuerySet):
    def of(self, user) -> "ThreadQuerySet":
        return self.filter(Q(first=user) | Q(second=user))


class Thread(models.Model):
    """A conversation of two. `first` is the one with the smaller user id, so a pair has one row."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    first = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    second = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = ThreadQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["first", "second"], name="one_per_pair"),)

    def __str__(self) -> str:
        return f"{self.first} and {self.second}"

    @property
    def participants(self) -> list[int]:
        return [self.first_id, self.second_id]


class Message(models.Model):
    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    thread = models.ForeignKey(Thread, models.CASCADE, related_name="messages")
    sender = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    content = models.TextField()
    sent_at = models.DateTimeField(default=timezone.now, db_index=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("sent_at", "id")

    def __str__(self) -> str:
        return f"{self.sender}: {self.content[:40]}"


class Presence(models.Model):
    """How many user-status sockets a user has open, over all server processes."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True)
    open_sockets = models.PositiveIntegerField(default=0)
    last_seen = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "presence"

    def __str__(self) -> str:
        return f"{self.user}: {'online' if self.open_sockets else 'offline'}"


class Notification(models.Model):
    class Priority(models.TextChoices):
        LOW = "low"
        MEDIUM = "medium"
        HIGH = "high"
        URGENT = "urgent"

    id = models.CharField(primary_key=True, max_length=64, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty means everyone.",
    )
    title = models.CharField(max_length=200)
    message = models.TextField()
    priority = models.CharField(max_length=8, choices=Priority.choices)
    action_url = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    read_by = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.title
