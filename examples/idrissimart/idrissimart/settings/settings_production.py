"""Settings behind nginx, which ends TLS and serves `staticfiles/`. Redis has to be there.

DJANGO_SETTINGS_MODULE=idrissimart.settings.settings_production
"""

import os

from ..channel_layer import redis_config
from . import *  # noqa: F403

DEBUG = False

# With a password: REDIS_URL=redis://:<password>@127.0.0.1:6379/0
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": redis_config(os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/0"),
    }
}

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

# HSTS and the redirect to https are nginx's part.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
