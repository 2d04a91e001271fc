"""Settings behind nginx, which ends TLS, redirects to https and serves `staticfiles/`."""

from .base import *  # noqa: F403

DEBUG = False

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

# HSTS and the redirect to https are nginx's part.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
