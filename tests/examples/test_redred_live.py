"""RED-RED's live streams: roles, signalling, viewers, comments, moderation (R13 to R15)."""

import asyncio
import itertools

import pytest
import pytest_asyncio
from sites import REDRED, assert_errors, assert_refused, handshake

EXAMPLE = REDRED

pytestmark = pytest.mark.asyncio

numbers = itertools.count(1)


@pytest_asyncio.fixture
async def join(open_socket, request):
    """A function: user name to a socket in this test's own stream, `route`; see `wait_for`."""

    async def connect(name):
        return await open_socket(name, connect.route)

    connect.route = f"/ws/live/test-{id(request)}_{next(numbers)}/"
    return connect


@pytest_asyncio.fixture
async def stream(join):
    """Alice's stream with bob and carol; what was sent about their coming has been read."""
    alice = await join("alice")
    sockets = [alice]
    for count, name in enumerate(("bob", "carol"), 1):
        sockets.append(await join(name))
        for frames in sockets:
            await frames.wait_for("viewers_update", viewers_count=count)
        if not any(frame["type"] == "user_joined" for frame in alice.seen):
            await alice.wait_for("user_joined")
        alice.seen.clear()
    return sockets


async def test_two_viewers_and_a_comment(join, accounts):
    """R13, R14, R15 (3)."""
    stream_id = join.route.split("/")[3]
    alice = await join("alice")
    assert alice.greeting["type"] == "connection_established"
    greeting = {"stream_id": stream_id, "status": "waiting"}
    ids = {name: account.id for name, account in accounts.items()}
    expected = {**greeting, "user_id": ids["alice"], "role": "streamer", "viewers_count": 0}
    assert expected.items() <= alice.greeting["data"].items()
    bob = await join("bob")
    expected = {**greeting, "user_id": ids["bob"], "role": "viewer", "viewers_count": 1}
    assert expected.items() <= bob.greeting["data"].items()
    assert (await bob.expect("viewers_update"))["data"] == {"viewers_count": 1}
    await alice.wait_for("viewers_update", viewers_count=1)
    carol = await join("carol")
    for frames in (alice, bob, carol):
        await frames.wait_for("viewers_update", viewers_count=2)
    joined = [f["data"] for f in alice.seen + await alice.rest() if f["type"] == "user_joined"]
    assert joined == [
        {"user_id": ids[name], "username": name, "role": "viewer"} for name in ("bob", "carol")
    ]
    await carol.send_data("comment", text="¡Hola a todos!")
    for frames in (alice, bob, carol):
        comment = (await frames.expect("comment"))["data"]
        assert isinstance(comment.pop("id"), int)
        assert isinstance(comment.pop("created_at"), str)
        assert comment == {
            "user_id": ids["carol"],
            "username": "carol",
            "role": "viewer",
            "text": "¡Hola a todos!",
            "highlighted": False,
        }
    carol.connection.transport.abort()
    await alice.wait_for("viewers_update", viewers_count=1)
    left = [f["data"] for f in alice.seen + await alice.rest() if f["type"] == "user_left"]
    assert left == [{"user_id": ids["carol"], "username": "carol", "role": "viewer"}]
    await bob.wait_for("viewers_update", viewers_count=1)


async def test_start_and_end(stream, join, accounts, site_of):
    """R14: stream_ended closes every socket with 1000; an ended stream is refused."""
    alice, bob, _ = stream
    stream_id = join.route.split("/")[3]
    await bob.send_data("stream_started")
    assert await bob.error() == "forbidden"
    await bob.send_data("stream_ended")
    assert await bob.error() == "forbidden"
    await alice.send_data("stream_started")
    for frames in stream:
        started = (await frames.expect("stream_started"))["data"]
        assert started == {"stream_id": stream_id, "streamer_id": accounts["alice"].id}
    mod = await join("mod")
    assert (mod.greeting["data"]["status"], mod.greeting["data"]["role"]) == ("live", "moderator")
    await alice.send_data("stream_ended")
    for frames in (*stream, mod):
        assert (await frames.wait_for("stream_ended"))["data"] == {"stream_id": stream_id}
        assert await frames.closed() == 1000
    for name in ("alice", "bob"):
        await assert_refused(handshake(site_of(name), join.route, accounts[name]))


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_streamer_who_leaves_ends_the_stream(stream, end):
    """R14."""
    alice, bob, carol = stream
    if end == "close":
        await alice.connection.close()
    else:
        alice.connection.transport.abort()
    for frames in (bob, carol):
        await asyncio.wait_for(frames.expect("stream_ended"), 5)
        assert await frames.closed() == 1000


async def test_signalling_goes_to_the_one_it_is_for(stream, accounts):
    """R14: webrtc_offer, webrtc_answer, ice_candidate."""
    alice, bob, carol = stream
    a, b, c = (accounts[name].id for name in ("alice", "bob", "carol"))
    sdp = "v=0\r\n" + "a=candidate\r\n" * 500
    candidate = {"candidate": "candidate:1 1 udp 1 10.0.0.1 9 typ host", "sdpMLineIndex": 0}
    await alice.send_data("webrtc_offer", target_user_id=b, sdp=sdp)
    assert (await bob.expect("webrtc_offer"))["data"] == {"from_user_id": a, "sdp": sdp}
    await bob.send_data("webrtc_answer", sdp=sdp)
    assert (await alice.expect("webrtc_answer"))["data"] == {"from_user_id": b, "sdp": sdp}
    await carol.send_data("ice_candidate", candidate=candidate)
    received = (await alice.expect("ice_candidate"))["data"]
    assert received == {"from_user_id": c, "candidate": candidate}
    await alice.send_data("ice_candidate", candidate=candidate, target_user_id=c)
    received = (await carol.expect("ice_candidate"))["data"]
    assert received == {"from_user_id": a, "candidate": candidate}
    for frames, data, code in (
        (alice, {"target_user_id": accounts["mod"].id, "sdp": sdp}, "not_found"),
        (alice, {"target_user_id": a, "sdp": sdp}, "not_found"),
        (alice, {"target_user_id": b}, "invalid_payload"),
        (alice, {"sdp": sdp}, "invalid_payload"),
        (bob, {"target_user_id": c, "sdp": sdp}, "forbidden"),
    ):
        await frames.send_data("webrtc_offer", **data)
        assert await frames.error() == code
    await alice.send_data("webrtc_answer", sdp=sdp)
    assert await alice.error() == "forbidden"
    await bob.send_data("ice_candidate", candidate="x")
    assert await bob.error() == "invalid_payload"
    for frames in stream:
        assert await frames.rest() == []


async def test_roles_hold_at_once(stream, accounts):
    """R13, R14: grant_role, highlighted comments, delete_comment."""
    alice, bob, carol = stream
    b, c = accounts["bob"].id, accounts["carol"].id
    await bob.send_data("comment", text="first")
    for frames in stream:
        first = (await frames.expect("comment"))["data"]
    for data, code in (
        ({"user_id": c, "role": "streamer"}, "invalid_payload"),
        ({"user_id": c, "role": []}, "invalid_payload"),
        ({"user_id": accounts["mod"].id, "role": "vip"}, "not_found"),
        ({"user_id": accounts["alice"].id, "role": "vip"}, "forbidden"),
    ):
        await alice.send_data("grant_role", **data)
        assert await alice.error() == code
    for frames, type, data in (
        (bob, "grant_role", {"user_id": b, "role": "vip"}),
        (carol, "delete_comment", {"comment_id": first["id"]}),
        (carol, "kick_user", {"user_id": b}),
    ):
        await frames.send_data(type, **data)
        assert await frames.error() == "forbidden"

    await alice.send_data("grant_role", user_id=b, role="vip")
    await alice.send_data("grant_role", user_id=c, role="moderator")
    for frames in stream:
        assert (await frames.expect("role_changed"))["data"] == {"user_id": b, "role": "vip"}
        assert (await frames.expect("role_changed"))["data"] == {"user_id": c, "role": "moderator"}
    await bob.send_data("comment", text="second")
    for frames in stream:
        comment = (await frames.expect("comment"))["data"]
        assert (comment["role"], comment["highlighted"]) == ("vip", True)
    await carol.send_data("delete_comment", comment_id=first["id"])
    for frames in stream:
        deleted = (await frames.expect("comment_deleted"))["data"]
        assert deleted == {"comment_id": first["id"], "by": c}
    for comment_id, code in (
        (first["id"], "not_found"),
        (999_999, "not_found"),
        ("1", "invalid_payload"),
    ):
        await carol.send_data("delete_comment", comment_id=comment_id)
        assert await carol.error() == code


async def test_kicked_user_is_closed_and_stays_out(stream, join, accounts, site_of):
    """R14: `kicked` first, then close code 4003."""
    alice, bob, carol = stream
    mod = await join("mod")
    for user_id, code in ((accounts["alice"].id, "forbidden"), (999_999, "not_found")):
        await mod.send_data("kick_user", user_id=user_id)
        assert (await mod.wait_for("error"))["data"]["code"] == code
    await mod.send_data("kick_user", user_id=accounts["bob"].id)
    kicked = await bob.wait_for("kicked")
    assert kicked["data"] == {"by": accounts["mod"].id}
    assert await bob.closed() == 4003
    await assert_refused(handshake(site_of("bob"), join.route, accounts["bob"]))
    await carol.wait_for("viewers_update", viewers_count=3)
    await carol.wait_for("viewers_update", viewers_count=2)
    await alice.wait_for("user_left", username="bob")


async def test_unusable_frames(stream):
    """C8, R14: ping is not supported here."""
    alice, bob, _ = stream
    await assert_errors(
        bob,
        [
            ('{"type":"ping","data":{}}', "unknown_type"),
            ('{"type":"comment","data":{"text":" "}}', "invalid_payload"),
            ('{"type":"comment","data":{}}', "invalid_payload"),
        ],
    )
    await bob.send_data("comment", text="a" * 2001)
    assert await bob.error() == "invalid_payload"
    await bob.send_data("comment", text="a" * 2000)
    await alice.expect("comment")
