"""Reading notifications. Ordinary synchronous Django; each change is one UPDATE."""

from django.utils import timezone

from core.payload import RequestError

from .delivery import count_unread, unread_of
from .models import Notification


def mark_read(user, notification_id: int) -> int:
    """Mark one as read, again or for the first time; return how many are unread now."""
    if not Notification.objects.filter(recipient=user, pk=notification_id).exists():
        raise RequestError("not_found", "No such notification.")
    unread_of(user.pk).filter(pk=notification_id).update(read_at=timezone.now())
    return count_unread(user.pk)


def mark_all_read(user) -> int:
    """Mark all as read; return how many are unread now."""
    unread_of(user.pk).update(read_at=timezone.now())
    return count_unread(user.pk)
