"""The applications of apps.departures as Django 4 would run them, as far as the server can tell."""

import django

from apps.departures import app

__all__ = ["app"]

django.VERSION = (4, 2, 30, "final", 0)
