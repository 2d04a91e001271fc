"""Notifications: stored and pushed by signals when something happens elsewhere."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from . import signals  # noqa: F401  (connects the receivers)
