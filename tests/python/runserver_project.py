"""A Django project for `manage.py runserver`: written into a folder, started as developers do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROLOGUE = """
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.http import HttpResponse, StreamingHttpResponse

settings.configure(
    DEBUG=True, SECRET_KEY="no secret", ROOT_URLCONF="site_", ALLOWED_HOSTS=["*"],
    ASGI_APPLICATION="site_.application", MIDDLEWARE=[],
    INSTALLED_APPS=["cppasgi", "django.contrib.staticfiles"], STATIC_URL="/static/",
)

import django
django.setup()

from django.core.asgi import get_asgi_application
from django.urls import path
"""
"""How a `site_.py` begins; what follows makes `urlpatterns` and `application`."""

_MANAGE = """
import site_
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "runserver", PORT])
"""


def start_runserver(
    folder: Path, port: int, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts the site in `folder`, which logs to `log` there, in a process group of its own."""
    (folder / "manage.py").write_text(_MANAGE.replace("PORT", repr(str(port))))
    with (folder / "log").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "manage.py"],
            cwd=folder,
            stdout=output,
            stderr=output,
            env=env,
            start_new_session=True,
        )
