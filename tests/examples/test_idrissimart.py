"""IdrissiMart: ad chat and support chat, access, the JSON API, proxies and files (I1 to I12)."""

import asyncio
import subprocess
import sys
from datetime import datetime

import pytest
from sites import (
    BAD_FRAMES,
    IDRISSIMART,
    Frames,
    assert_errors,
    assert_mod_uses_the_admin,
    assert_refused,
    handshake,
    request,
)

EXAMPLE = IDRISSIMART
AD = "/ws/chat/ad/1/"
SUPPORT = "/ws/chat/support/publisher_{}/"

pytestmark = pytest.mark.asyncio


@pytest.fixture
def open_ad(open_socket, accounts):
    """A function: user name to a socket in bob's conversation with alice about ad 1."""

    async def connect(name):
        query = f"?client_id={accounts['bob'].id}" if name == "alice" else ""
        frames = await open_socket(name, AD + query)
        assert frames.greeting["type"] == "history"
        return frames

    return connect


async def test_health_login_and_ads(site, accounts):
    """C1, C4, C5, C6, I8, I12: alice is user 1 and publishes ads 1 and 2."""
    assert site.health().json() == {
        "status": "ok",
        "channel_layer": "InMemoryChannelLayer",
        "pid": site.process.pid,
    }
    assert accounts["alice"].id == 1
    found = request("GET", f"{site.base}/api/ads/").json()["results"]  # they are public
    assert accounts["bob"].call(site, "GET", "ads/").json()["results"] == found
    assert [(ad["id"], ad["publisher_id"]) for ad in found] == [(1, 1), (2, 1)]
    assert all(isinstance(ad["title"], str) for ad in found)
    answer = request("GET", f"{site.base}/api/chat/rooms/")
    assert answer.status_code == 401
    assert isinstance(answer.json()["detail"], str)
    foreign = request("GET", f"{site.base}/api/health/", headers={"Host": "example.org"})
    assert foreign.status_code == 400


async def test_staff_may_use_the_admin(site, accounts):
    assert_mod_uses_the_admin(site, "main/classifiedad", "main/chatroom", "main/chatmessage")


async def test_message_reaches_publisher_and_client(open_ad, api, accounts):
    """I3, I4, I5, C9, C12."""
    alice, bob, bob_too = await open_ad("alice"), await open_ad("bob"), await open_ad("bob")
    for sender, text, name, role in (
        (bob, "Is it still for sale? ¿Sí? 🚲", "Bob Baker", "client"),
        (alice, "It is.", "Alice Archer", "publisher"),
    ):
        await sender.send("message", message=text)
        received = [await frames.expect("message") for frames in (alice, bob, bob_too)]
        assert received[0] == received[1] == received[2]
        message = received[0]
        assert isinstance(message["id"], int)
        assert datetime.fromisoformat(message["timestamp"]).tzinfo
        assert (message["message"], message["sender_name"]) == (text, name)
        assert message["sender_role"] == role
        assert message["sender_id"] == accounts[name.split()[0].lower()].id
    last = {key: value for key, value in message.items() if key != "type"}
    assert (await open_ad("bob")).greeting["messages"][-1] == last
    listed = api("bob", "GET", "chat/ad/1/messages/").json()["results"]
    assert listed[-1] == last
    query = f"chat/ad/1/messages/?client_id={accounts['bob'].id}"
    assert api("alice", "GET", query).json()["results"] == listed


async def test_history_is_the_last_fifty(open_socket, accounts):
    """I5."""
    carol = await open_socket("carol", "/ws/chat/ad/2/")
    for number in range(52):
        await carol.send("message", message=str(number))
    sent = [(await carol.expect("message"))["message"] for _ in range(52)]
    assert sent == [str(number) for number in range(52)]
    again = await open_socket("carol", "/ws/chat/ad/2/")
    messages = again.greeting["messages"]
    assert [message["message"] for message in messages] == sent[2:]
    assert "type" not in messages[0]


async def test_conversations_are_private(open_ad, open_socket, api, accounts):
    """I4: one for each client; other people's client_id is ignored."""
    alice, bob = await open_ad("alice"), await open_ad("bob")
    carol = await open_socket("carol", f"{AD}?client_id={accounts['bob'].id}")
    await carol.send("message", message="Mine")
    await carol.expect("message")
    assert await alice.rest() == []
    assert await bob.rest() == []
    query = f"?client_id={accounts['carol'].id}"
    hers = await open_socket("alice", AD + query)
    assert hers.greeting["messages"][-1]["message"] == "Mine"
    rooms = api("alice", "GET", "chat/rooms/").json()["results"]
    assert accounts["carol"].id in [room["client_id"] for room in rooms if room["ad_id"] == 1]
    assert api("bob", "GET", f"chat/ad/1/messages/{query}").json()["results"] != hers.greeting


async def test_who_may_not_enter_is_refused(site, accounts):
    """I3, I4, I5, I12, C7, C10."""
    alice, bob = accounts["alice"], accounts["bob"]
    for route in (AD, SUPPORT.format(1)):
        await assert_refused(handshake(site, route))
        for origin in (None, "http://example.org"):
            await assert_refused(handshake(site, route, alice, origin=origin))
    await assert_refused(handshake(site, f"{AD}?token={bob.token}"))
    for query in ("", "?client_id=", "?client_id=1", "?client_id=999", "?client_id=x%00"):
        await assert_refused(handshake(site, AD + query, alice))
        assert alice.call(site, "GET", f"chat/ad/1/messages/{query}").status_code == 403
    for route in (
        "/ws/chat/ad/99/",
        f"/ws/chat/ad/{'9' * 30}/",
        SUPPORT.format(1),
        SUPPORT.format("x"),
        "/ws/chat/support/admin_2/",
        "/ws/chat/support/publisher_02/",
    ):
        await assert_refused(handshake(site, route, bob))
    await assert_refused(handshake(site, SUPPORT.format(999), accounts["mod"]))
    for route in ("/ws/chat/ad/x/", "/ws/chat/", "/ws/chat/support/publisher_1"):
        await assert_refused(handshake(site, route, bob), *range(400, 600))
    assert bob.call(site, "GET", "chat/ad/99/messages/").status_code == 404


async def test_support_chat(open_socket, accounts):
    """I3, I5: the publisher with the staff."""
    route = SUPPORT.format(1)
    alice, mod = await open_socket("alice", route), await open_socket("mod", route)
    for sender, role in ((alice, "publisher"), (mod, "admin")):
        await sender.send("message", message="Hello")
        for frames in (alice, mod):
            assert (await frames.expect("message"))["sender_role"] == role


async def test_typing_reaches_the_others(open_ad, accounts):
    """I5: not the typing user's sockets."""
    alice, bob, bob_too = await open_ad("alice"), await open_ad("bob"), await open_ad("bob")
    await bob.send("typing")
    bob_id = accounts["bob"].id
    expected = {"type": "typing", "user_name": "Bob Baker", "user_id": bob_id}
    assert await alice.next() == expected
    for frames in (alice, bob, bob_too):
        assert await frames.rest() == []


async def test_errors_leave_the_socket_open(open_ad):
    """C8, I5, I6."""
    bob = await open_ad("bob")
    await assert_errors(
        bob,
        [
            *BAD_FRAMES,
            ('{"type":"ping"}', "unknown_type"),
            ('{"type":"chat.frame"}', "unknown_type"),
            ('{"type":"message"}', "invalid_payload"),
            ('{"type":"message","message":" "}', "invalid_payload"),
            ('{"type":"message","message":["x"]}', "invalid_payload"),
            ('{"type":"message","message":"\\udfff"}', "invalid_payload"),
        ],
    )
    await bob.send("message", message="a" * 5001)
    assert await bob.error() == "invalid_payload"
    await bob.send("message", message="a" * 5000)
    assert len((await bob.expect("message"))["message"]) == 5000


async def test_rate_limit(start_site, accounts):
    """I6: per socket; off by default, as the other tests show."""
    with start_site(EXAMPLE, CHAT_RATE_LIMIT="2") as site:
        async with handshake(site, AD, accounts["bob"]) as connection:
            bob = Frames(connection)
            await bob.expect("history")
            for expected in ("message", "message", "error"):
                await bob.send("message", message="quick")
                frame = await bob.expect(expected)
            assert frame["code"] == "rate_limited"
            await bob.send("typing")
            assert await bob.rest() == []


async def test_scope_shows_the_proxy_only_when_it_is_believed(start_site, site, server_command):
    """I12: without --proxy-headers X-Forwarded-* is ignored."""
    headers = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "Host": "localhost:81",
    }
    url = "/api/debug/scope/"
    plain = {
        "client_host": "127.0.0.1",
        "scheme": "http",
        "path": url,
        "root_path": "",
        "host": "localhost:81",
    }
    if "uvicorn" in server_command[-1]:
        pytest.skip("uvicorn believes a proxy on this machine by default")
    assert request("GET", site.base + url, headers=headers).json() == plain
    with start_site(EXAMPLE, "--proxy-headers") as proxied:
        seen = request("GET", proxied.base + url, headers=headers).json()
    assert seen["client_host"] == "203.0.113.7"
    assert (seen["path"], seen["host"]) == (url, "localhost:81")


def run_python(environment, code, **more):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=EXAMPLE.folder,
        env={**environment, **more},
        capture_output=True,
        text=True,
    )


async def test_settings(environments, redis_url):
    """C3, C13, I2, I9: the layer follows Redis; production wants it."""
    environment = environments(EXAMPLE)
    code = "import sys; from idrissimart.settings{} import *; print(CHANNEL_LAYERS, DEBUG)"
    default, production = code.format(""), code.format(".settings_production")
    with_redis = run_python(environment, default, REDIS_URL=redis_url)
    assert "channels_redis.core.RedisChannelLayer" in with_redis.stdout
    assert with_redis.stderr == ""
    without = run_python(environment, default, REDIS_URL="redis://:secret@127.0.0.1:1/0")
    assert "InMemoryChannelLayer" in without.stdout
    assert len(without.stderr.splitlines()) == 1
    assert "secret" not in without.stderr
    result = run_python(environment, production)
    assert "redis://127.0.0.1:6379/0" in result.stdout
    assert result.stdout.rstrip().endswith("False")
    url = "redis://:password@127.0.0.1:6379/0"
    assert url in run_python(environment, production, REDIS_URL=url).stdout


async def test_upkeep_commands(environments, site):
    """I8, I9: checks, backup, a message through the layer from the shell."""
    shell = (
        "from asgiref.sync import async_to_sync; from channels.layers import get_channel_layer;"
        "async_to_sync(get_channel_layer().send)('test', {'type': 'test.message'}); print('sent')"
    )
    commands = [
        ("check", "--fail-level", "WARNING"),
        ("makemigrations", "--check", "--dry-run"),
        ("dumpdata", "main.ChatRoom", "main.ChatMessage"),
        ("shell", "-c", shell),
    ]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "manage.py",
            *command,
            cwd=EXAMPLE.folder,
            env=environments(EXAMPLE),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for command in commands
    ]
    for process in processes:
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
