"""The demo users and their access tokens: JWT signed with SECRET_KEY, good for one hour."""

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import jwt

SECRET_KEY = os.environ.get(
    "SECRET_KEY", "insecure-sensors-demo-key-for-trying-out-only-do-not-deploy"
)
TOKEN_LIFETIME = timedelta(hours=1)
PASSWORD = "demo-pass"


@dataclass(frozen=True)
class User:
    id: int
    username: str
    display_name: str
    is_staff: bool = False


def demo_users() -> dict[str, User]:
    users = (
        User(1, "alice", "Alice Archer"),
        User(2, "bob", "Bob Baker"),
        User(3, "carol", "Carol Chen"),
        User(4, "mod", "Mod Marsh", is_staff=True),
    )
    return {user.username: user for user in users}


def authenticate(users: dict[str, User], username: str, password: str) -> User | None:
    right = secrets.compare_digest(password.encode(errors="replace"), PASSWORD.encode())
    return users.get(username) if right else None


def make_token(user: User) -> str:
    expiry = datetime.now(timezone.utc) + TOKEN_LIFETIME
    return jwt.encode({"user_id": user.id, "exp": expiry}, SECRET_KEY, algorithm="HS256")


def user_of_token(users: dict[str, User], token: str) -> User | None:
    """Return the user a token was made for, or None."""
    try:
        claims = jwt.decode(
            token, SECRET_KEY, algorithms=["HS256"], options={"require": ["user_id", "exp"]}
        )
    except jwt.InvalidTokenError:
        return None
    return next((user for user in users.values() if user.id == claims["user_id"]), None)
