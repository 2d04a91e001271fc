"""Settings; everything that differs between machines is read from the environment, see README.md.

`DEBUG=1` is the default. Nothing here may fail because Redis is absent.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import django

from .channel_layer import choose_channel_layer

BASE_DIR = Path(__file__).resolve().parent.parent


def server_app() -> list[str]:
    """The installed server whose `runserver` command serves ASGI: cppasgi, else Daphne."""
    for package in ("cppasgi", "daphne"):
        if find_spec(package) and find_spec(f"{package}.apps"):
            return [package]
    return []


DEBUG = os.environ.get("DEBUG", "1") == "1"
SECRET_KEY = os.environ.get(
    "SECRET_KEY", "django-insecure-redred-demo-key-for-trying-out-only-do-not-deploy"
)
ALLOWED_HOSTS = [
    host.strip()
    for host in os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
    if host.strip()
]

INSTALLED_APPS = [
    *server_app(),  # first, so that its runserver wins
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "core",
    "social",
    "chat",
    "notifications",
    "live",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "redred.urls"
ASGI_APPLICATION = "redred.asgi.application"
WSGI_APPLICATION = "redred.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DEMO_DB", BASE_DIR / "db.sqlite3"),
        "OPTIONS": {"timeout": 20},  # seconds to wait for another writer
    }
}
if django.VERSION >= (5, 1):
    # A transaction takes the write lock at its start and waits its turn; otherwise SQLite fails one
    # that reads before it writes at once when another wrote meanwhile.
    DATABASES["default"]["OPTIONS"]["transaction_mode"] = "IMMEDIATE"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {"default": choose_channel_layer(os.environ.get("REDIS_URL"))}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

if not DEBUG:
    # Behind nginx, which ends TLS, redirects to https, sends HSTS and serves `staticfiles/`.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"redred": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}
