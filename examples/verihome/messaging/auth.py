"""Access tokens: JWT signed with SECRET_KEY, as `?token=` on sockets or `Authorization: Bearer`.

The session cookie is the other way in (Channels' AuthMiddlewareStack, Django's middleware). When a
token is given it alone decides: a bad one is not saved by a good cookie.
"""

from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import jwt
from channels.db import database_sync_to_async
from channels.middleware import BaseMiddleware
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

TOKEN_LIFETIME = timedelta(hours=1)


def make_token(user) -> str:
    expiry = datetime.now(timezone.utc) + TOKEN_LIFETIME
    return jwt.encode({"user_id": user.pk, "exp": expiry}, settings.SECRET_KEY, algorithm="HS256")


def user_of_token(token: str):
    """Return the active user a token was made for, or AnonymousUser."""
    try:
        claims = jwt.decode(
            token,
            settings.SECRET_KEY,
            algorithms=["HS256"],
            options={"require": ["user_id", "exp"]},
        )
    except jwt.InvalidTokenError:
        return AnonymousUser()
    user = get_user_model().objects.filter(pk=claims["user_id"], is_active=True).first()
    return user or AnonymousUser()


class TokenAuthMiddleware(BaseMiddleware):
    """Sets `scope["user"]` from the query string's token, if there is one."""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if "token" in query:
            user = await database_sync_to_async(user_of_token)(query["token"][-1])
            scope = {**scope, "user": user}
        return await super().__call__(scope, receive, send)
