"""RED-RED's chat and what its sockets share: frames, refusals, errors (R1 to R6, C5 to C12)."""

import asyncio
from datetime import datetime

import pytest
import pytest_asyncio
from sites import BAD_FRAMES, REDRED, assert_errors, assert_refused, handshake, request

EXAMPLE = REDRED

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def room(site, accounts):
    """The room of alice and bob."""
    answer = accounts["alice"].call(site, "POST", "chat/rooms/", {"username": "bob"})
    return answer.json()["room_name"]


@pytest_asyncio.fixture
async def pair(open_socket, room):
    """Alice's and bob's sockets in their room; alice has read that bob came."""
    alice = await open_socket("alice", f"/ws/chat/{room}/")
    bob = await open_socket("bob", f"/ws/chat/{room}/")
    await alice.wait_for("user_status", is_online=True)
    yield alice, bob


def types(frames):
    return sorted(frame["type"] for frame in frames)


async def test_health_login_and_users(site, accounts):
    """C1, C3, C5, C6."""
    assert site.health().json() == {
        "status": "ok",
        "channel_layer": "InMemoryChannelLayer",
        "pid": site.process.pid,
    }
    login = accounts["alice"].login
    assert (login["username"], login["display_name"]) == ("alice", "Alice Archer")
    assert login["token_type"] == "bearer"
    url = f"{site.base}/api/"
    body = {"username": "alice", "password": "wrong"}
    assert request("POST", f"{url}auth/login/", json=body).status_code == 401
    by_cookie = request("GET", f"{url}chat/rooms/", headers={"Cookie": accounts["alice"].cookie})
    assert by_cookie.status_code == 200
    for headers in ({}, {"Authorization": "Bearer x", "Cookie": accounts["alice"].cookie}):
        answer = request("GET", f"{url}chat/rooms/", headers=headers)
        assert answer.status_code == 401
        assert isinstance(answer.json()["detail"], str)
    assert request("GET", f"{url}health/", headers={"Host": "example.org"}).status_code == 400


async def test_rooms_over_http(api, accounts, room):
    """R4, C5."""
    ids = sorted(accounts[name].id for name in ("alice", "bob"))
    again = api("bob", "POST", "chat/rooms/", {"username": "alice"})
    assert (again.status_code, again.json()) == (200, {"room_name": room, "participants": ids})
    for body, status in (
        ({"username": "nobody"}, 404),
        ({"username": "alice"}, 400),
        ({"username": 1}, 400),
        ({}, 400),
    ):
        assert api("alice", "POST", "chat/rooms/", body).status_code == status
    assert api("carol", "GET", f"chat/rooms/{room}/messages/").status_code == 403
    for name in ("room_999999", "room_", "nothing", "room_²"):
        assert api("alice", "GET", f"chat/rooms/{name}/messages/").status_code == 404


async def test_who_may_not_enter_is_refused(site, accounts, room):
    """R2, R3, R4, C7, C10."""
    alice = accounts["alice"]
    routes = [f"/ws/chat/{room}/", "/ws/notifications/", "/ws/live/some-stream/"]
    for route in routes:
        await assert_refused(handshake(site, route))
        for origin in (None, "http://example.org"):
            await assert_refused(handshake(site, route, alice, origin=origin))
        await assert_refused(handshake(site, f"{route}?token={alice.token}"))
    await assert_refused(handshake(site, routes[0], accounts["carol"]))
    for name in ("room_999999", "nothing", "room_x", f"chat_{room}"):
        await assert_refused(handshake(site, f"/ws/chat/{name}/", alice))
    for route in ("/ws/nowhere/", "/ws/live/a.b/", f"/ws/live/{'x' * 65}/"):
        await assert_refused(handshake(site, route, alice), *range(400, 600))
    assert site.health().status_code == 200


async def test_frames_have_four_parts(open_socket, accounts, room):
    """R1, R2, R5, C9, C12."""
    alice = await open_socket("alice", f"/ws/chat/{room}/")
    assert set(alice.greeting) == {"type", "data", "timestamp", "metadata"}
    assert alice.greeting["type"] == "connection_established"
    assert alice.greeting["data"] == {"user_id": accounts["alice"].id, "room": room}
    assert alice.greeting["metadata"] == {}
    assert datetime.fromisoformat(alice.greeting["timestamp"]).tzinfo


async def test_message_goes_to_both_and_is_ticked(pair, open_socket, api, accounts, room):
    """R5, R15 (1): alice writes, bob reads, alice sees the double tick."""
    alice, bob = pair
    elsewhere = api("carol", "POST", "chat/rooms/", {"username": "bob"}).json()["room_name"]
    bob_elsewhere = await open_socket("bob", f"/ws/chat/{elsewhere}/")
    await alice.send_data("chat_message", message="¿Vienes? 🚋")
    sent = (await alice.wait_for("chat_message"))["data"]
    received = (await bob.wait_for("chat_message"))["data"]
    assert sent == received
    assert {name: sent[name] for name in ("room", "sender_id", "sender_username", "message")} == {
        "room": room,
        "sender_id": accounts["alice"].id,
        "sender_username": "alice",
        "message": "¿Vienes? 🚋",
    }
    alices, bobs = alice.seen + await alice.rest(), bob.seen + await bob.rest()
    assert types(alices) == ["chat_update", "message_delivered"]
    delivered = next(f["data"] for f in alices if f["type"] == "message_delivered")
    assert delivered == {"message_id": sent["id"], "delivered_to": accounts["bob"].id}
    assert types(bobs) == ["chat_update"]
    (update,) = await bob_elsewhere.rest()
    assert update["type"] == "chat_update"
    assert update["data"] == {
        "room": room,
        "last_message": "¿Vienes? 🚋",
        "last_sender_id": accounts["alice"].id,
        "updated_at": sent["created_at"],
    }
    await bob.send_data("mark_read", message_ids=[sent["id"], 999_999])
    read = (await alice.expect("message_read"))["data"]
    assert read == {"message_ids": [sent["id"]], "reader_id": accounts["bob"].id}
    await bob.send_data("mark_read", message_ids=[sent["id"]])  # no news
    await alice.send_data("mark_read", message_ids=[sent["id"]])  # her own
    assert await bob.rest() == []
    assert await alice.rest() == []
    listed = api("bob", "GET", f"chat/rooms/{room}/messages/").json()["results"]
    assert (listed[-1]["id"], listed[-1]["is_read"]) == (sent["id"], True)


async def test_whole_room_is_read_at_once(pair):
    """R5: mark_read without ids."""
    alice, bob = pair
    ids = []
    for number in range(3):
        await alice.send_data("chat_message", message=str(number))
        ids.append((await bob.wait_for("chat_message"))["data"]["id"])
    await bob.send_data("mark_read")
    assert (await alice.wait_for("message_read"))["data"]["message_ids"] == ids


async def test_typing_reaches_the_other_only(pair, open_socket, accounts, room):
    """R5, R6."""
    alice, bob = pair
    alice_too = await open_socket("alice", f"/ws/chat/{room}/")
    await bob.wait_for("user_status", is_online=True)
    for sent, is_typing in (({}, True), ({"is_typing": False}, False)):
        await alice.send_data("typing", **sent)
        assert (await bob.expect("typing"))["data"] == {
            "user_id": accounts["alice"].id,
            "username": "alice",
            "is_typing": is_typing,
        }
    assert await alice.rest() == []
    assert await alice_too.rest() == []
    await alice.send_data("typing", is_typing="yes")
    assert await alice.error() == "invalid_payload"


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_status_follows_joining_and_leaving(pair, open_socket, accounts, room, end):
    """R5: also when the connection is cut; offline comes with the last of his sockets."""
    alice, bob = pair
    bob_too = await open_socket("bob", f"/ws/chat/{room}/")
    status = {"user_id": accounts["bob"].id, "username": "bob", "is_online": True}
    assert (await alice.expect("user_status"))["data"] == status
    assert await bob_too.rest() == []  # never about oneself
    await bob_too.connection.close()
    if end == "close":
        await bob.connection.close()
    else:
        bob.connection.transport.abort()
    left = await asyncio.wait_for(alice.expect("user_status"), 5)
    assert left["data"] == {**status, "is_online": False}
    assert await alice.rest() == []


async def test_errors_leave_the_socket_open(pair):
    """C8, R5."""
    _, bob = pair
    await assert_errors(
        bob,
        [
            *BAD_FRAMES,
            ('{"type":"ping","data":{}}', "unknown_type"),
            ('{"type":"push.frames","data":{}}', "unknown_type"),
            ('{"type":"chat_message","data":[]}', "invalid_payload"),
            ('{"type":"chat_message"}', "invalid_payload"),
            ('{"type":"chat_message","data":{"message":" "}}', "invalid_payload"),
            ('{"type":"chat_message","data":{"message":7}}', "invalid_payload"),
            ('{"type":"chat_message","data":{"message":"\\ud800"}}', "invalid_payload"),
            ('{"type":"mark_read","data":{"message_ids":["1"]}}', "invalid_payload"),
            ('{"type":"mark_read","data":{"message_ids":[true]}}', "invalid_payload"),
            ('{"type":"mark_read","data":{"message_ids":7}}', "invalid_payload"),
        ],
    )
    await bob.send_data("chat_message", message="a" * 10_001)
    assert await bob.error() == "invalid_payload"
    await bob.send_data("chat_message", message="a" * 10_000)
    assert len((await bob.wait_for("chat_message"))["data"]["message"]) == 10_000
