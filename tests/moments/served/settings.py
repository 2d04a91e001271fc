"""Django's settings; the environment says which database and channel layer."""

import os

import django

SECRET_KEY = "for these tests only"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "served.views"
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = ["channels"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO"}},
}

POOL_SIZE = 10
POOLED = os.environ.get("MOMENTS_DATABASE") == "pool" and django.VERSION >= (5, 1)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": os.environ["MOMENTS_POSTGRES"],
        "OPTIONS": {
            "application_name": "moments",
            **({"pool": {"min_size": 1, "max_size": POOL_SIZE, "timeout": 10}} if POOLED else {}),
        },
    }
}

REDIS = os.environ.get("MOMENTS_REDIS")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "served.layers.RedisLayer",
        "CONFIG": {"hosts": [{"address": REDIS, "socket_timeout": 20}]},
    }
    if REDIS
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}
