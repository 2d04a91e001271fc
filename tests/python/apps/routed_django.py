"""Django with `cppasgi.django_routes`: views of both kinds, and of both kinds of patterns."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path, re_path

settings.configure(
    DEBUG=False,
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "cppasgi.django_routes.route_middleware",
        "django.middleware.common.CommonMiddleware",
    ],
)


async def in_loop(request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(str(number))


def in_thread(request: HttpRequest, name: str) -> HttpResponse:
    if name == "missing":
        raise Http404
    return HttpResponse(name)


async def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("as asked")


urlpatterns = [
    path("articles/", include([path("<int:number>/", in_loop)])),
    re_path(r"^names/(?P<name>\w+)$", in_thread),
    path("fail", fail),
    path("long/" + "x" * 100, fail),
]

from django.core.asgi import get_asgi_application  # noqa: E402

app = get_asgi_application()
