"""`python manage.py seed_demo`: the demo users and alice's two ads, as often as you like."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand

from main.models import ClassifiedAd

PASSWORD = "demo-pass"
USERS = [
    ("alice", "Alice", "Archer", False),
    ("bob", "Bob", "Baker", False),
    ("carol", "Carol", "Chen", False),
    ("mod", "Mod", "Marsh", True),
]
ADS = [
    (1, "City bicycle, 7 gears", "Two years old, new tyres, a basket in front. Can be tried.", 140),
    (2, "Oak writing desk", "120 by 60 cm, three drawers, a few scratches on the top.", 85),
]


class Command(BaseCommand):
    help = (
        "Creates the demo users alice, bob, carol and mod and two ads, and prints the users' ids."
    )

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
            if is_staff:  # may use the admin, for this app only
                user.user_permissions.add(
                    *Permission.objects.filter(content_type__app_label="main")
                )
            self.stdout.write(f"{username} {user.pk}")
        alice = users.get(username="alice")
        for pk, title, description, price in ADS:
            fields = {"title": title, "description": description, "price": price}
            ClassifiedAd.objects.update_or_create(pk=pk, defaults={"publisher": alice, **fields})
