"""The rules all endpoints of the JSON API share, as one decorator."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from .auth import user_of_token
from .payload import RequestError, read_object

View = Callable[..., HttpResponse]


def problem(status: int, detail: str, **headers: str) -> JsonResponse:
    return JsonResponse({"detail": detail}, status=status, headers=headers)


def endpoint(*methods: str, login: bool = True) -> Callable[[View], View]:
    """Make a view an endpoint: methods, login by token or session, errors as `{"detail": ...}`.

    The view finds the body of a POST as `request.data`. No CSRF token is asked for: the session
    cookie is SameSite=Lax, so a form on another site doesn't bring it.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            if request.method not in methods:
                return problem(405, "Method not allowed.", Allow=", ".join(methods))
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme:
                request.user = user_of_token(token.strip() if scheme.lower() == "bearer" else "")
            if login and not request.user.is_authenticated:
                return problem(401, "Please log in.", **{"WWW-Authenticate": "Bearer"})
            try:
                if request.method == "POST":
                    request.data = read_object(request.body)
                return view(request, **kwargs)
            except RequestError as error:
                return problem(error.status, error.message)

        return wrapped

    return decorate
