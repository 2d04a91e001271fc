"""django-eventstream as its README sets it up, in one file."""

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    SECRET_KEY="only for the tests",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_eventstream"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    USE_TZ=True,
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django_eventstream import send_event  # noqa: E402


def send(request: HttpRequest) -> HttpResponse:
    text = request.GET["text"] * int(request.GET["times"])
    send_event(request.GET["channel"], "message", {"text": text})
    return HttpResponse("sent")


urlpatterns = [
    path(
        "events/<channel>/", include("django_eventstream.urls"), {"format-channels": ["{channel}"]}
    ),
    path("send/", send),
]
app = get_asgi_application()
