"""A Django site with Channels; the environment says what its settings are."""

import json
import os

from django.conf import settings

settings.configure(
    INSTALLED_APPS=["channels"],
    **json.loads(os.environ.get("SITE_SETTINGS", "{}")),
)


async def app(scope, receive, send):
    raise RuntimeError("never called")
