"""Django's routes in the metrics: a middleware that names the URL pattern of each request.

``"cppasgi.django_routes.route_middleware"`` in MIDDLEWARE, best as the first; docs/observing.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

FIELD = "cppasgi-route"
"""The field of a response that the server takes the route from, and doesn't send."""


def name_route(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Names the pattern that the request's path was found by, if any, in its response."""
    match = request.resolver_match
    if match is not None and match.route is not None and FIELD not in response:
        response[FIELD] = "/" + "".join(match.route.split())  # a regular expression may have lines
    return response


@sync_and_async_middleware  # type: ignore[untyped-decorator, unused-ignore]
def route_middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """The middleware, for applications of both kinds."""
    if iscoroutinefunction(get_response):
        answer: Callable[[HttpRequest], Awaitable[HttpResponseBase]] = get_response

        async def in_loop(request: HttpRequest) -> HttpResponseBase:
            return name_route(request, await answer(request))

        return in_loop

    def in_thread(request: HttpRequest) -> HttpResponseBase:
        return name_route(request, get_response(request))

    return in_thread
