"""Messages, typing and receipts between alice and bob, on one process and on two."""

from datetime import datetime

import pytest

pytestmark = pytest.mark.asyncio


@pytest.fixture
def route(thread_id):
    return f"/ws/messaging/thread/{thread_id}/"


def only(frames, type):
    return [frame for frame in frames if frame["type"] == type]


async def send_message(socket, content):
    await socket.send("send_message", content=content)
    return (await socket.expect("new_message"))["message"]


async def test_message_reaches_both_threads_and_both_users_once(
    open_socket, accounts, route, thread_id
):
    """M4, M7, M8."""
    alice, bob = await open_socket("alice", route), await open_socket("bob", route)
    alices_inbox = await open_socket("alice", "/ws/messaging/")
    bobs_inbox = await open_socket("bob", "/ws/messaging/")
    carols_inbox = await open_socket("carol", "/ws/messaging/")
    message = await send_message(alice, "Is the flat still free? ¿Está libre? 🏡")
    assert isinstance(message.pop("id"), str)
    assert datetime.fromisoformat(message.pop("sent_at").replace("Z", "+00:00")).tzinfo
    assert message == {
        "content": "Is the flat still free? ¿Está libre? 🏡",
        "sender_id": accounts["alice"]["user_id"],
        "sender_name": "Alice Archer",
        "thread_id": thread_id,
        "is_read": False,
    }
    for socket in (bob, alices_inbox, bobs_inbox):
        frames = await socket.rest()
        assert [frame["type"] for frame in frames] == ["new_message"]
        assert frames[0]["message"]["content"] == message["content"]
    assert await alice.rest() == []
    assert await carols_inbox.rest() == []


async def test_http_message_is_pushed_like_one_from_a_socket(
    open_socket, api, sites, route, thread_id
):
    """M8, M12."""
    bob = await open_socket("bob", route)
    bobs_inbox = await open_socket("bob", "/ws/messaging/")
    alices_inbox = await open_socket("alice", "/ws/messaging/")
    answer = api("alice", sites[0]).post(f"threads/{thread_id}/messages/", {"content": "By HTTP"})
    assert answer.status_code == 201
    for socket in (bob, bobs_inbox, alices_inbox):
        frames = await socket.rest()
        assert frames == [{"type": "new_message", "message": answer.json()}]


async def test_content_of_100_000_characters_arrives_whole(open_socket, api, route, thread_id):
    """M9."""
    alice, bob = await open_socket("alice", route), await open_socket("bob", route)
    bobs_inbox = await open_socket("bob", "/ws/messaging/")
    for character in "aé":
        content = character * 100_000
        await alice.send("send_message", content=content)
        for socket in (alice, bob, bobs_inbox):
            assert (await socket.expect("new_message"))["message"]["content"] == content
    stored = api("alice").get(f"threads/{thread_id}/messages/").json()["results"]
    assert stored[-1]["content"] == "é" * 100_000


@pytest.mark.parametrize(
    "frame",
    [{}, {"content": ""}, {"content": " \n"}, {"content": 5}, {"content": None},
     {"content": "a" * 100_001}, {"content": "\ud800"}],
    ids=lambda frame: str(frame)[:30],
)  # fmt: skip
async def test_unusable_content_is_an_invalid_payload(open_socket, route, frame):
    """M9."""
    alice = await open_socket("alice", route)
    await alice.send("send_message", **frame)
    assert await alice.error() == "invalid_payload"
    await send_message(alice, "The socket is open")


async def test_typing_in_the_thread_reaches_the_others_only(
    open_socket, accounts, route, thread_id
):
    """M4, M8."""
    alice, bob = await open_socket("alice", route), await open_socket("bob", route)
    alice_too = await open_socket("alice", route)
    alices_inbox = await open_socket("alice", "/ws/messaging/")
    bobs_inbox = await open_socket("bob", "/ws/messaging/")
    await alices_inbox.send("join_conversation", thread_id=thread_id)
    await alices_inbox.expect("conversation_joined")
    for type, is_typing in (("typing_start", True), ("typing_stop", False)):
        await alice.send(type)
        assert await bob.next() == {
            "type": "typing_notification",
            "user_id": accounts["alice"]["user_id"],
            "user_name": "Alice Archer",
            "thread_id": thread_id,
            "is_typing": is_typing,
        }
    assert await bob.rest() == []
    for socket in (alice, alice_too, alices_inbox, bobs_inbox):  # bob's inbox has not joined
        assert await socket.rest() == []


async def test_typing_reaches_who_joined_until_he_leaves(open_socket, route, thread_id):
    """M3, M8."""
    bobs_inbox = await open_socket("bob", "/ws/messaging/")
    alices_inbox = await open_socket("alice", "/ws/messaging/")
    alice = await open_socket("alice", route)
    for _ in range(2):  # joining twice is joining once
        await bobs_inbox.send("join_conversation", thread_id=thread_id)
        joined = await bobs_inbox.next()
        assert joined == {"type": "conversation_joined", "thread_id": thread_id}
    await alices_inbox.send("typing_start", thread_id=thread_id)
    assert (await bobs_inbox.expect("typing_notification"))["is_typing"] is True
    await alice.send("typing_stop")
    assert (await bobs_inbox.expect("typing_notification"))["is_typing"] is False
    # A conversation brings typing only; the message comes once, through the user's own group.
    await send_message(alice, "Only once")
    assert [frame["type"] for frame in await bobs_inbox.rest()] == ["new_message"]

    for _ in range(2):
        await bobs_inbox.send("leave_conversation", thread_id=thread_id)
        left = await bobs_inbox.next()
        assert left == {"type": "conversation_left", "thread_id": thread_id}
    await alices_inbox.send("typing_start", thread_id=thread_id)
    assert await bobs_inbox.rest() == []


@pytest.mark.parametrize("type", ["typing_start", "typing_stop", "join_conversation"])
async def test_other_peoples_threads_are_forbidden(open_socket, foreign_thread_id, type):
    """M8."""
    inbox = await open_socket("alice", "/ws/messaging/")
    for thread_id in (foreign_thread_id, "no such thread", "\x00", "x" * 1000):
        await inbox.send(type, thread_id=thread_id)
        assert await inbox.error() == "forbidden"
    for fields in ({}, {"thread_id": 5}, {"thread_id": "\udfff"}):
        await inbox.send(type, **fields)
        assert await inbox.error() == "invalid_payload"


async def test_reading_in_the_thread_gives_one_receipt_per_message(
    open_socket, api, route, thread_id
):
    """M4, M8."""
    alice, bob = await open_socket("alice", route), await open_socket("bob", route)
    alices_inbox = await open_socket("alice", "/ws/messaging/")
    bobs_inbox = await open_socket("bob", "/ws/messaging/")
    ids = [(await send_message(alice, f"Read me {number}"))["id"] for number in range(3)]
    for socket in (bob, alices_inbox, bobs_inbox):
        assert len(await socket.rest()) == 3

    await bob.send("mark_messages_read", message_ids=ids)
    for socket in (alice, bob, alices_inbox):  # the thread with the reader, and the sender
        receipts = await socket.rest()
        assert [receipt["type"] for receipt in receipts] == ["message_read_receipt"] * 3
        assert [receipt["message_id"] for receipt in receipts] == ids
        assert {receipt["read_by"] for receipt in receipts} == {"Bob Baker"}
        assert all(datetime.fromisoformat(receipt["read_at"]) for receipt in receipts)
    assert await bobs_inbox.rest() == []
    stored = api("alice").get(f"threads/{thread_id}/messages/").json()["results"]
    assert [message["is_read"] for message in stored if message["id"] in ids] == [True] * 3

    # A second time, by either socket, is no news; nor is reading one's own.
    await bob.send("mark_messages_read", message_ids=ids)
    await bobs_inbox.send("mark_as_read", message_id=ids[0])
    await alice.send("mark_messages_read", message_ids=ids)
    for socket in (alice, bob, alices_inbox, bobs_inbox):
        assert await socket.rest() == []


async def test_reading_in_the_inbox_tells_the_sender(open_socket, route):
    """M3, M8."""
    alice = await open_socket("alice", route)
    alices_inbox = await open_socket("alice", "/ws/messaging/")
    bobs_inbox = await open_socket("bob", "/ws/messaging/")
    message = await send_message(alice, "Read me in the inbox")
    await bobs_inbox.expect("new_message")
    await bobs_inbox.send("mark_as_read", message_id=message["id"])
    for socket in (alice, alices_inbox):
        receipts = only(await socket.rest(), "message_read_receipt")
        assert [receipt["message_id"] for receipt in receipts] == [message["id"]]


async def test_reading_what_one_may_not(open_socket, api, route, foreign_thread_id):
    """M8."""
    foreign = api("bob").post(f"threads/{foreign_thread_id}/messages/", {"content": "For Carol"})
    inbox = await open_socket("alice", "/ws/messaging/")
    await inbox.send("mark_as_read", message_id="no such message")
    assert await inbox.error() == "not_found"
    await inbox.send("mark_as_read", message_id=foreign.json()["id"])
    assert await inbox.error() == "forbidden"
    await inbox.send("mark_as_read")
    assert await inbox.error() == "invalid_payload"
    thread = await open_socket("alice", route)
    await thread.send("mark_messages_read", message_ids=["no such message"])
    assert await thread.error() == "not_found"
    await thread.send("mark_messages_read", message_ids=[foreign.json()["id"]])
    assert await thread.error() == "forbidden"
    for message_ids in (None, "abc", [1], {}):
        await thread.send("mark_messages_read", message_ids=message_ids)
        assert await thread.error() == "invalid_payload"


async def test_many_messages_keep_their_order(open_socket, route):
    """M8."""
    alice, bob = await open_socket("alice", route), await open_socket("bob", route)
    contents = [f"number {number}" for number in range(50)]
    for content in contents:
        await alice.send("send_message", content=content)
    for socket in (alice, bob):
        received = [(await socket.expect("new_message"))["message"] for _ in contents]
        assert [message["content"] for message in received] == contents
