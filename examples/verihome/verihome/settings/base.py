"""Settings that development and production share. Everything is read from the environment.

See README.md for the variables. Nothing here may fail because Redis is absent.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import django

from .channel_layer import choose_channel_layer

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def server_app() -> list[str]:
    """The installed server whose `runserver` command serves ASGI: cppasgi, else Daphne."""
    for package in ("cppasgi", "daphne"):
        if find_spec(package) and find_spec(f"{package}.apps"):
            return [package]
    return []


def comma_list(name: str, default: str) -> list[str]:
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


SECRET_KEY = os.environ.get(
    "SECRET_KEY", "django-insecure-verihome-demo-key-for-trying-out-only-do-not-deploy"
)
ALLOWED_HOSTS = comma_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

INSTALLED_APPS = [
    *server_app(),  # first, so that its runserver wins
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "channels",
    "messaging",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "verihome.urls"
ASGI_APPLICATION = "verihome.asgi.application"

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
    # The admin reads before it writes in one transaction. Taking the write lock at the start makes
    # it wait its turn; otherwise SQLite fails such a transaction at once when another one wrote.
    DATABASES["default"]["OPTIONS"]["transaction_mode"] = "IMMEDIATE"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {"default": choose_channel_layer(os.environ.get("REDIS_URL"), SECRET_KEY)}

WEBSOCKET_ENABLED = os.environ.get("WEBSOCKET_ENABLED", "True") == "True"
WEBSOCKET_HEARTBEAT_INTERVAL = int(os.environ.get("WEBSOCKET_HEARTBEAT_INTERVAL", "30"))  # seconds
WEBSOCKET_RECONNECT_ATTEMPTS = int(os.environ.get("WEBSOCKET_RECONNECT_ATTEMPTS", "5"))

# A front end served from elsewhere, such as a React development server.
CORS_ALLOWED_ORIGINS = comma_list(
    "CORS_ALLOWED_ORIGINS", "http://localhost:3000,http://127.0.0.1:3000"
)
CORS_ALLOW_CREDENTIALS = True
CORS_URLS_REGEX = r"^/api/"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

LOG_DIR = BASE_DIR / "logs"
LOG_DIR.mkdir(exist_ok=True)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "file": {
            "class": "logging.FileHandler",
            "filename": LOG_DIR / "verihome.log",
            "formatter": "line",
        },
    },
    "loggers": {
        "messaging": {"handlers": ["console", "file"], "level": "INFO", "propagate": False},
    },
}
