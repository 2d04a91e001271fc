"""Log-in, and the dependency that asks for its token."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from ...core.users import User, authenticate, make_token, user_of_token

router = APIRouter(tags=["auth"])
bearer = HTTPBearer(auto_error=False)
ASK_FOR_TOKEN = {"WWW-Authenticate": "Bearer"}


class Credentials(BaseModel):
    username: str
    password: str


@router.post("/auth/login")
async def log_in(credentials: Credentials, request: Request) -> dict[str, Any]:
    user = authenticate(request.app.state.users, credentials.username, credentials.password)
    if user is None:
        raise HTTPException(401, "Wrong user name or password.", ASK_FOR_TOKEN)
    return {
        "user_id": user.id,
        "username": user.username,
        "display_name": user.display_name,
        "access_token": make_token(user),
        "token_type": "bearer",
    }


async def current_user(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> User:
    user = credentials and user_of_token(request.app.state.users, credentials.credentials)
    if not user:
        raise HTTPException(401, "Please log in.", ASK_FOR_TOKEN)
    return user
