"""Django with the middleware that ``startproject`` writes, and one async view: ``GET /``.

Refuses a request that a server runs in the context of another one: Django keeps its threads, its
database connections and the active language there, so such requests would share them, at half of
the cost and with each other's state.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


async def hello(request: HttpRequest) -> HttpResponse:
    """Answer 13 bytes."""
    return HttpResponse("Hello, world!", content_type="text/plain")


urlpatterns = [path("", hello)]
django_application = get_asgi_application()
request_scope: ContextVar[dict[str, Any]] = ContextVar("request_scope")


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Serve Django, each request in a context of its own."""
    if scope["type"] == "http":
        if request_scope.get(None) is not None:
            raise RuntimeError("this request runs in the context of another one")
        request_scope.set(scope)
    await django_application(scope, receive, send)
