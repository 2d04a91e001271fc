"""A small Django site with Channels, which tests write into a folder of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SETTINGS = """
SECRET_KEY = "for tests only"
DEBUG = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles", "site_under_test"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": "db", "TEST": {"NAME": "test-db"}
    }
}
ROOT_URLCONF = "site_under_test.urls"
ASGI_APPLICATION = "site_under_test.asgi.application"
STATIC_URL = "/static/"
"""
URLS = '''
from django.contrib.contenttypes.models import ContentType
from django.http import HttpResponse
from django.urls import path

PAGE = """<!doctype html><link rel="icon" href="data:,"><p id="rows">%d</p><p id="said"></p>
<script src="/static/talk.js"></script>"""

urlpatterns = [path("", lambda request: HttpResponse(PAGE % ContentType.objects.count()))]
'''
SCRIPT = """
const socket = new WebSocket(`ws://${location.host}/ws/`);
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => { document.getElementById("said").textContent = event.data; };
"""
ASGI = """
from channels.generic.websocket import WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

class Echo(WebsocketConsumer):
    def receive(self, text_data):
        self.send(text_data + " back")

application = ProtocolTypeRouter({
    "http": get_asgi_application(),
    "websocket": URLRouter([path("ws/", Echo.as_asgi())]),
})
"""


def write_site(folder: Path, more: Mapping[str, str] | None = None) -> Path:
    """Writes the package `site_under_test`, with `more` files or others; returns `folder`."""
    package = folder / "site_under_test"
    (package / "static").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "settings.py": SETTINGS,
        "urls.py": URLS,
        "asgi.py": ASGI,
        "static/talk.js": SCRIPT,
        **(more or {}),
    }
    for name, text in files.items():
        (package / name).write_text(text)
    return folder
