"""Django system checks of the application ``cppasgi``."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error


def check_listed_before_staticfiles(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Demands that ``cppasgi`` stands before ``django.contrib.staticfiles`` in INSTALLED_APPS.

    Django takes `runserver` from the first application that has one, and staticfiles has one
    without WebSockets.

    Same as Daphne's check, with the id ``cppasgi.E001``.
    """
    if is_after_staticfiles("cppasgi"):
        text = "cppasgi must be listed before django.contrib.staticfiles in INSTALLED_APPS."
        return [Error(text, id="cppasgi.E001")]
    return []


def is_after_staticfiles(name: str) -> bool:
    """Tells whether the application ``name`` is installed behind Django's static files."""
    names = [config.name for config in apps.get_app_configs()]
    staticfiles = "django.contrib.staticfiles"
    return staticfiles in names and name in names[names.index(staticfiles) :]
