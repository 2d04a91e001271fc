"""What happened elsewhere becomes a notification, and each new notification is pushed.

The receivers run where the row was saved: in a view, or in the thread of `database_sync_to_async`.
"""

import re
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver

from chat.models import ChatMessage
from social.models import Comment, Follow, Like, Post

from . import delivery
from .models import Notification

Type = Notification.Type
MENTION = re.compile(r"@(\w+)")


def notify(recipient_id: int, from_user, type: str, message: str) -> None:
    """Store a notification, unless it would tell somebody what he did himself."""
    if recipient_id != from_user.pk:
        Notification.objects.create(
            recipient_id=recipient_id,
            from_user=from_user,
            notification_type=type,
            message=message,
        )


def notify_mentioned(author, text: str, type: str, where: str) -> None:
    names = set(MENTION.findall(text))
    for user in get_user_model().objects.filter(username__in=names, is_active=True):
        notify(user.pk, author, type, f"{author.get_full_name()} mentioned you in {where}")


@receiver(post_save, sender=Notification)
def push(instance: Notification, created: bool, **_: Any) -> None:
    def send() -> None:
        user_id = instance.recipient_id
        async_to_sync(delivery.send_with_count)(
            user_id, "new_notification", delivery.data_of(instance), delivery.count_unread(user_id)
        )

    if created:
        # Who gets it may mark it as read at once, so it has to be there for all to see.
        transaction.on_commit(send)


@receiver(post_save, sender=Follow)
def followed(instance: Follow, created: bool, **_: Any) -> None:
    if not created:
        return
    name = instance.follower.get_full_name()
    reverse = Follow.objects.filter(follower=instance.followed, followed=instance.follower)
    if reverse.exists():
        notify(
            instance.followed_id, instance.follower, Type.FOLLOW_BACK, f"{name} followed you back"
        )
    else:
        notify(instance.followed_id, instance.follower, Type.FOLLOW, f"{name} follows you")


@receiver(post_save, sender=Like)
def liked(instance: Like, created: bool, **_: Any) -> None:
    if created:
        message = f"{instance.user.get_full_name()} likes your post"
        notify(instance.post.author_id, instance.user, Type.LIKE, message)


@receiver(post_save, sender=Post)
def posted(instance: Post, created: bool, **_: Any) -> None:
    if created:
        notify_mentioned(instance.author, instance.text, Type.MENTION_POST, "a post")


@receiver(post_save, sender=Comment)
def commented(instance: Comment, created: bool, **_: Any) -> None:
    if not created:
        return
    author, post_author_id = instance.author, instance.post.author_id
    parent_author_id = instance.parent.author_id if instance.parent else None
    name = author.get_full_name()
    if parent_author_id is not None:
        notify(parent_author_id, author, Type.REPLY, f"{name} replied to your comment")
    if parent_author_id != post_author_id:  # he is told already
        notify(post_author_id, author, Type.COMMENT, f"{name} commented on your post")
    notify_mentioned(author, instance.text, Type.MENTION_COMMENT, "a comment")


@receiver(post_save, sender=ChatMessage)
def wrote(instance: ChatMessage, created: bool, **_: Any) -> None:
    if created:
        recipient_id = instance.room.other_than(instance.sender_id)
        message = f"{instance.sender.get_full_name()}: {instance.text[:80]}"
        notify(recipient_id, instance.sender, Type.CHAT_MESSAGE, message)
