"""Picks the settings: `DEBUG=1` (the default) gives development, `DEBUG=0` gives production."""

import os

if os.environ.get("DEBUG", "1") == "1":
    from .development import *  # noqa: F403
else:
    from .production import *  # noqa: F403
