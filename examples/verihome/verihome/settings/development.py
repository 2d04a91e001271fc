"""Settings on a developer's machine: errors in full, static files served by Django itself."""

from .base import *  # noqa: F403

DEBUG = True
