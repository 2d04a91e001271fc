"""Access tokens for the JSON API: JWT signed with SECRET_KEY, as `Authorization: Bearer`.

The session cookie is the other way in, and the only one for sockets. A token that is given alone
decides: a bad one is not saved by a good cookie.
"""

from datetime import datetime, timedelta, timezone

import jwt
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
