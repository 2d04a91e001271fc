"""`python manage.py seed_demo`: the demo users, as often as you like. Resets presence counts."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand

from messaging.models import Presence

PASSWORD = "demo-pass"
USERS = [
    ("alice", "Alice", "Archer", False),
    ("bob", "Bob", "Baker", False),
    ("carol", "Carol", "Chen", False),
    ("mod", "Mod", "Marsh", True),
]


class Command(BaseCommand):
    help = "Creates the demo users alice, bob, carol and mod, and prints their ids."

    def handle(self, *args: Any, **options: Any) -> None:
        users = get_user_model().objects
        for username, first_name, last_name, is_staff in USERS:
            user, _ = users.get_or_create(username=username)
            user.first_name, user.last_name = first_name, last_name
            user.is_staff, user.is_active = is_staff, True
            if not user.check_password(PASSWORD):
                user.set_password(PASSWORD)
            user.save()
            if is_staff:  # may use the admin, for this app only
                user.user_permissions.add(
                    *Permission.objects.filter(content_type__app_label="messaging")
                )
            self.stdout.write(f"{username} {user.pk}")
        # A server that was killed could not count its sockets down.
        Presence.objects.update(open_sockets=0)
