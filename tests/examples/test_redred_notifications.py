"""RED-RED's notifications: signals, priorities, the counter, batches (R7 to R12)."""

import pytest
import pytest_asyncio
from sites import REDRED, assert_errors, assert_mod_uses_the_admin

EXAMPLE = REDRED
ROUTE = "/ws/notifications/"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def bell(open_socket, api):
    """A function: user name to a notification socket with `count`, the unread ones at its start."""

    async def connect(name):
        frames = await open_socket(name, ROUTE)
        assert frames.greeting["type"] == "connection_established"
        frames.count = (await frames.expect("unread_count"))["data"]["count"]
        assert frames.count == api(name, "GET", "notifications/").json()["unread"]
        return frames

    return connect


async def test_staff_may_use_the_admin(site, accounts):
    models = ("social/post", "chat/chatroom", "notifications/notification", "live/livestream")
    assert_mod_uses_the_admin(site, *models)


async def expect_new(bell, type, priority, sender):
    """Return the notification that comes next; the counter goes up by one after it."""
    item = (await bell.expect("new_notification"))["data"]
    assert (item["notification_type"], item["priority"]) == (type, priority)
    assert item["from_user"] == {"id": sender.id, "username": sender.name}
    assert isinstance(item["message"], str)
    bell.count += 1
    assert (await bell.expect("unread_count"))["data"] == {"count": bell.count}
    return item


async def test_like_makes_a_notification_which_is_read(bell, api, accounts):
    """R8, R10, R15 (2)."""
    alice, alice_too = await bell("alice"), await bell("alice")
    post = api("alice", "POST", "posts/", {"text": "Hola"})
    assert post.status_code == 201
    like = f"posts/{post.json()['id']}/like/"
    assert api("bob", "POST", like).status_code == 201
    item = await expect_new(alice, "like", "medium", accounts["bob"])
    await expect_new(alice_too, "like", "medium", accounts["bob"])
    assert api("bob", "POST", like).status_code == 200  # again: no notification
    assert api("alice", "POST", like).status_code == 201  # oneself: none
    listed = api("alice", "GET", "notifications/").json()
    assert (listed["results"][0]["id"], listed["unread"]) == (item["id"], alice.count)

    for count in (alice.count - 1, alice.count - 1):  # reading twice is reading once
        await alice.send_data("mark_read", notification_id=item["id"])
        for socket in (alice, alice_too):
            read = await socket.expect("notification_read")
            assert read["data"] == {"notification_id": item["id"]}
            assert (await socket.expect("unread_count"))["data"] == {"count": count}
    await alice.send_data("mark_all_read")
    for socket in (alice, alice_too):
        assert (await socket.expect("mark_all_read"))["data"] == {}
        assert (await socket.expect("unread_count"))["data"] == {"count": 0}


async def test_every_type_has_its_trigger(bell, api, accounts):
    """R8, R9, R12."""
    alice, bob = await bell("alice"), await bell("bob")
    a, b = accounts["alice"], accounts["bob"]
    for name in ("alice", "bob"):
        other = {"alice": "bob", "bob": "alice"}[name]
        assert api(name, "DELETE", f"users/{other}/follow/").status_code == 204
    assert api("alice", "POST", "users/bob/follow/").status_code == 201
    await expect_new(bob, "follow", "medium", a)
    assert api("alice", "POST", "users/bob/follow/").status_code == 200
    assert api("bob", "POST", "users/alice/follow/").status_code == 201
    await expect_new(alice, "follow_back", "medium", b)

    post = api("alice", "POST", "posts/", {"text": "Con @bob, @alice y @nobody."}).json()["id"]
    await expect_new(bob, "mention_post", "high", a)
    comments = f"posts/{post}/comments/"
    comment = api("bob", "POST", comments, {"text": "Sí", "parent": None})
    assert comment.status_code == 201
    await expect_new(alice, "comment", "high", b)
    reply = {"text": "¡Bien!", "parent": comment.json()["id"]}
    assert api("alice", "POST", comments, reply).status_code == 201
    await expect_new(bob, "reply", "high", a)
    api("alice", "POST", comments, {"text": "Y @bob", "parent": None})
    await expect_new(bob, "mention_comment", "high", a)
    assert await alice.rest() == []
    assert await bob.rest() == []


async def test_chat_message_notifies_the_other(bell, open_socket, api, accounts):
    """R8, R12."""
    room = api("alice", "POST", "chat/rooms/", {"username": "bob"}).json()["room_name"]
    alice, bob = await bell("alice"), await bell("bob")
    chat = await open_socket("alice", f"/ws/chat/{room}/")
    await chat.send_data("chat_message", message="Toc, toc")
    item = await expect_new(bob, "chat_message", "high", accounts["alice"])
    assert "Toc, toc" in item["message"]
    assert await alice.rest() == []


async def test_staff_send_a_batch(bell, api, accounts):
    """R11."""
    alice = await bell("alice")
    types = ["group_message", "follow", "like"]
    items = [{"notification_type": type, "message": type} for type in types]
    answer = api("mod", "POST", "notifications/bulk/", {"username": "alice", "items": items})
    assert (answer.status_code, answer.json()) == (201, {"created": 3})
    batch = (await alice.expect("notification_batch"))["data"]["notifications"]
    assert [item["notification_type"] for item in batch] == types
    assert [item["priority"] for item in batch] == ["high", "medium", "medium"]
    assert all(item["from_user"]["username"] == "mod" for item in batch)
    assert (await alice.expect("unread_count"))["data"] == {"count": alice.count + 3}
    assert await alice.rest() == []
    for name, body, status in (
        ("bob", {"username": "alice", "items": items}, 403),
        ("mod", {"username": "nobody", "items": items}, 404),
        ("mod", {"username": "alice", "items": []}, 400),
        ("mod", {"username": "alice", "items": [{"notification_type": "x", "message": "m"}]}, 400),
    ):
        assert api(name, "POST", "notifications/bulk/", body).status_code == status


async def test_unknown_things(bell, api):
    """C5, C8, R10, R12."""
    alice = await bell("alice")
    await assert_errors(
        alice,
        [
            ('{"type":"mark_read","data":{"notification_id":999999}}', "not_found"),
            ('{"type":"mark_read","data":{"notification_id":1e400}}', "invalid_payload"),
            ('{"type":"mark_read","data":{"notification_id":"1"}}', "invalid_payload"),
            ('{"type":"mark_read","data":{}}', "invalid_payload"),
        ],
    )
    for method, path, body, status in (
        ("POST", "posts/", {"text": " "}, 400),
        ("POST", "posts/", {}, 400),
        ("POST", "posts/999999/like/", None, 404),
        ("POST", "posts/999999/comments/", {"text": "x", "parent": None}, 404),
        ("POST", "users/nobody/follow/", None, 404),
        ("POST", "users/alice/follow/", None, 400),
        ("GET", "users/bob/follow/", None, 405),
    ):
        assert api("alice", method, path, body).status_code == status, path
    post = api("alice", "POST", "posts/", {"text": "x"}).json()["id"]
    body = {"text": "x", "parent": 999_999}
    assert api("alice", "POST", f"posts/{post}/comments/", body).status_code == 404
