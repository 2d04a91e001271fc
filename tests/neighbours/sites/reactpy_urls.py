"""The pages of reactpy_site.py: two components that count clicks."""

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path
from reactpy import component, hooks, html


@component
def counter(start: int = 0):  # type: ignore[no-untyped-def]
    count, set_count = hooks.use_state(start)
    return html.button({"on_click": lambda event: set_count(count + 1)}, f"count {count}")


TEMPLATE = """{% load reactpy %}<!doctype html><title>ReactPy</title>
{% component "reactpy_urls.counter" prerender="true" %}
{% component "reactpy_urls.counter" start=41 prerender="true" %}"""


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(TEMPLATE).render({}, request))


urlpatterns = [path("", page), path("reactpy/", include("reactpy_django.http.urls"))]
