"""`python manage.py seed_demo`: the demo users, as often as you like. Resets who is connected."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand

from chat.models import ChatRoom
from live.models import StreamSocket

PASSWORD = "demo-pass"
USERS = [
    ("alice", "Alice", "Archer", False),
    ("bob", "Bob", "Baker", False),
    ("carol", "Carol", "Chen", False),
    ("mod", "Mod", "Marsh", True),
]
APPS = ("social", "chat", "notifications", "live")


class Command(BaseCommand):
    help = "Creates the demo users alice, bob, carol and mod, and prints their ids."

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model().objects
        hashed = make_password(PASSWORD)  # slow by intention; once will do
        for username, first_name, last_name, is_staff in USERS:
            user, _ = users.get_or_create(username=username)
            user.first_name, user.last_name = first_name, last_name
            user.is_staff, user.is_active = is_staff, True
            if not user.password:
                user.password = hashed
            user.save()
            if is_staff:  # may use the admin, for these apps only
                user.user_permissions.add(
                    *Permission.objects.filter(content_type__app_label__in=APPS)
                )
            self.stdout.write(f"{username} {user.pk}")
        # A server that was killed could not count its sockets down.
        ChatRoom.objects.update(first_sockets=0, second_sockets=0)
        StreamSocket.objects.all().delete()
