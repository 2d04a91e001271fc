"""Classified ads and their chats; also sets SQLite up for several readers beside one writer."""

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created


def use_write_ahead_log(connection: Any, **_: Any) -> None:
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA journal_mode=WAL")


class MainConfig(AppConfig):
    name = "main"

    def ready(self) -> None:
        connection_created.connect(use_write_ahead_log)
