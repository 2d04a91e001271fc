"""Handshakes, greetings, pings and errors on the four WebSocket routes."""

import asyncio
import json
import time

import jwt
import pytest
import websockets

pytestmark = pytest.mark.asyncio

SECRET_KEY = "a key for the tests only, long enough to be taken as one, 0123456789"
ROUTES = ["/ws/messaging/", "/ws/notifications/", "/ws/messaging/thread/{}/", "/ws/user-status/"]


@pytest.fixture(params=ROUTES)
def route(request, thread_id):
    return request.param.format(thread_id)


def token_of(user_id, *, key=SECRET_KEY, lifetime=60, algorithm="HS256", **more):
    claims = {"user_id": user_id, "exp": int(time.time()) + lifetime, **more}
    return jwt.encode(claims, key, algorithm=algorithm)


async def assert_refused(connecting):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connecting:
            pass
    assert refused.value.response.status_code == 403


async def assert_greeted(connecting, route, user_id, thread_id):
    async with connecting as connection:
        greeting = json.loads(await asyncio.wait_for(connection.recv(), 10))
    assert greeting["type"] == "connection_established"
    assert isinstance(greeting["message"], str)
    assert greeting["user_id"] == user_id
    assert greeting.get("thread_id") == (thread_id if "thread" in route else None)


async def test_token_opens_every_route(site, accounts, handshake, route, thread_id):
    """V1, V3, M1, M2."""
    alice = accounts["alice"]
    connecting = handshake(site, f"{route}?token={alice['access_token']}")
    await assert_greeted(connecting, route, alice["user_id"], thread_id)


async def test_session_cookie_opens_every_route(site, accounts, handshake, route, thread_id):
    """V1, M1."""
    alice = accounts["alice"]
    cookie = {"Cookie": f"sessionid={alice['sessionid']}"}
    connecting = handshake(site, route, additional_headers=cookie)
    await assert_greeted(connecting, route, alice["user_id"], thread_id)


async def test_token_wins_over_the_cookie(site, accounts, handshake, thread_id):
    """M1."""
    bob = accounts["bob"]
    connecting = handshake(
        site,
        f"/ws/messaging/?token={bob['access_token']}",
        additional_headers={"Cookie": f"sessionid={accounts['alice']['sessionid']}"},
    )
    await assert_greeted(connecting, "/ws/messaging/", bob["user_id"], thread_id)


async def test_anonymous_is_refused(site, handshake, route):
    """C7, M1."""
    await assert_refused(handshake(site, route))


async def test_bad_token_is_refused_despite_a_good_cookie(site, accounts, handshake, route):
    """M1."""
    alice = accounts["alice"]
    cookie = {"Cookie": f"sessionid={alice['sessionid']}"}
    bad_tokens = [
        "",
        "nonsense",
        alice["access_token"][:-4] + "AAAA",
        token_of(alice["user_id"], key="another key, also of a good length, 0123456789"),
        token_of(alice["user_id"], lifetime=-5),
        token_of(999_999),
        jwt.encode({"user_id": alice["user_id"]}, SECRET_KEY, algorithm="HS256"),
        jwt.encode({"user_id": alice["user_id"]}, None, algorithm="none"),
    ]
    for token in bad_tokens:
        await assert_refused(handshake(site, f"{route}?token={token}", additional_headers=cookie))


async def test_hand_made_token_of_the_secret_key_is_good(site, accounts, handshake, thread_id):
    """M1."""
    user_id = accounts["carol"]["user_id"]
    connecting = handshake(site, f"/ws/messaging/?token={token_of(user_id)}")
    await assert_greeted(connecting, "/ws/messaging/", user_id, thread_id)


async def test_access_token_is_a_jwt_of_one_hour(accounts):
    """M1."""
    alice = accounts["alice"]
    claims = jwt.decode(alice["access_token"], SECRET_KEY, algorithms=["HS256"])
    assert claims["user_id"] == alice["user_id"]
    assert 3000 < claims["exp"] - time.time() <= 3600


@pytest.mark.parametrize("origin", [None, "http://example.org", "null"])
async def test_missing_or_foreign_origin_is_refused(site, accounts, handshake, route, origin):
    """V1, C10."""
    token = accounts["alice"]["access_token"]
    await assert_refused(handshake(site, f"{route}?token={token}", origin=origin))


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:9"])
async def test_origin_may_have_any_port(site, accounts, handshake, thread_id, origin):
    """C10."""
    alice = accounts["alice"]
    connecting = handshake(site, f"/ws/messaging/?token={alice['access_token']}", origin=origin)
    await assert_greeted(connecting, "/ws/messaging/", alice["user_id"], thread_id)


async def test_unknown_and_foreign_threads_are_refused(
    site, accounts, handshake, foreign_thread_id
):
    """C7."""
    token = accounts["alice"]["access_token"]
    for thread in ("0", "no-such_thread", "x" * 300, foreign_thread_id):
        await assert_refused(handshake(site, f"/ws/messaging/thread/{thread}/?token={token}"))


async def test_unknown_route_fails_and_the_server_goes_on(site, accounts, handshake, thread_id):
    """C7."""
    alice = accounts["alice"]
    for path in ("/ws/nowhere/", "/ws/messaging", "/ws/messaging/thread/a.b/", "/"):
        with pytest.raises(websockets.InvalidStatus) as failed:
            async with handshake(site, f"{path}?token={alice['access_token']}"):
                pass
        assert 400 <= failed.value.response.status_code < 600
    connecting = handshake(site, f"/ws/messaging/?token={alice['access_token']}")
    await assert_greeted(connecting, "/ws/messaging/", alice["user_id"], thread_id)


async def test_every_socket_is_refused_when_disabled(start_site, accounts, handshake, thread_id):
    token = accounts["alice"]["access_token"]
    with start_site(WEBSOCKET_ENABLED="False") as disabled:
        for route in ROUTES:
            await assert_refused(handshake(disabled, f"{route.format(thread_id)}?token={token}"))


async def test_ping_gets_a_pong_with_its_timestamp(open_socket, route):
    """V6, M2."""
    socket = await open_socket("alice", route)
    socket.ignored = ("user_status_update",)
    for timestamp in ("2024-05-06T07:08:09.123Z", "anything", ""):
        await socket.send("ping", timestamp=timestamp)
        assert await socket.next() == {"type": "pong", "timestamp": timestamp}


async def test_errors_leave_the_socket_open(open_socket, route):
    """C8."""
    socket = await open_socket("alice", route)
    socket.ignored = ("user_status_update",)
    for raw, code in [
        ("{", "invalid_json"),
        ("", "invalid_json"),
        ("[1]", "invalid_json"),
        ('"ping"', "invalid_json"),
        ("null", "invalid_json"),
        ("[" * 50_000, "invalid_json"),
        (b'{"type":"ping"}', "invalid_json"),
        ("{}", "unknown_type"),
        ('{"type":"no_such"}', "unknown_type"),
        ('{"type":7}', "unknown_type"),
        ('{"type":["ping"]}', "unknown_type"),
        ('{"type":"push.frame","frame":{},"except_user":0}', "unknown_type"),
        ('{"type":"ping"}', "invalid_payload"),
        ('{"type":"ping","timestamp":1}', "invalid_payload"),
    ]:
        await socket.connection.send(raw)
        assert await socket.error() == code, raw
    await socket.send("ping", timestamp="still here")
    await socket.expect("pong")


async def test_deflate_is_only_used_when_offered(site, accounts, handshake):
    """X2."""
    path = f"/ws/messaging/?token={accounts['alice']['access_token']}"
    async with handshake(site, path, compression=None) as connection:
        assert "Sec-WebSocket-Extensions" not in connection.response.headers
