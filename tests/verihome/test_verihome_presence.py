"""Who is online, and notifications, on one process and on two."""

import asyncio

import pytest

pytestmark = pytest.mark.asyncio

STATUS = "/ws/user-status/"


async def status_of(socket, account):
    """Return the next status update of this user; others may come between."""
    while True:
        frame = await socket.expect("user_status_update")
        if frame["user_id"] == account["user_id"]:
            return frame


async def comes_online(socket, account):
    """Return the update that says so; an earlier test's leaver may be reported before it."""
    while True:
        frame = await asyncio.wait_for(status_of(socket, account), 5)
        if frame["is_online"]:
            return frame


async def rest_of(socket, account):
    """Return what still comes about this user; other tests' users may still be leaving."""
    return [frame for frame in await socket.rest() if frame["user_id"] == account["user_id"]]


def abort(socket):
    """Cut the connection: no close frame, no TCP farewell but a reset."""
    socket.connection.transport.abort()


async def test_connecting_tells_everybody_and_oneself(open_socket, accounts):
    """M10."""
    watcher = await open_socket("mod", STATUS)
    carol = await open_socket("carol", STATUS)
    for socket in (carol, watcher):
        frame = await comes_online(socket, accounts["carol"])
        assert frame["user_name"] == "Carol Chen"
        assert isinstance(frame["last_seen"], str)


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_leaving_tells_the_others(open_socket, accounts, end):
    """M10."""
    watcher = await open_socket("mod", STATUS)
    carol = await open_socket("carol", STATUS)
    await comes_online(watcher, accounts["carol"])
    if end == "close":
        await carol.connection.close()
    else:
        abort(carol)
    frame = await asyncio.wait_for(status_of(watcher, accounts["carol"]), 5)
    assert frame["is_online"] is False


async def test_offline_comes_with_the_last_of_several_sockets(open_socket, accounts, sites, api):
    """M10."""
    watcher = await open_socket("mod", STATUS)
    sockets = [await open_socket("carol", STATUS, on=site) for site in (*sites, sites[1])]
    for _ in sockets:
        await comes_online(watcher, accounts["carol"])
    for socket in sockets[:-1]:
        await socket.connection.close()
    assert await rest_of(watcher, accounts["carol"]) == []
    abort(sockets[-1])
    assert (await status_of(watcher, accounts["carol"]))["is_online"] is False
    assert await rest_of(watcher, accounts["carol"]) == []
    people = {person["username"]: person for person in api("mod").get("users/").json()["results"]}
    assert people["carol"]["is_online"] is False
    assert people["mod"]["is_online"] is True


async def test_heartbeat_is_acknowledged_and_moves_last_seen(open_socket, accounts, api):
    """M5."""

    def last_seen():
        people = api("bob").get("users/").json()["results"]
        return next(person["last_seen"] for person in people if person["username"] == "bob")

    bob = await open_socket("bob", STATUS)
    await status_of(bob, accounts["bob"])
    bob.ignored = ("user_status_update",)
    before = last_seen()
    await bob.send("heartbeat", timestamp="2024-01-01T00:00:00Z")
    ack = await bob.expect("heartbeat_ack")
    assert ack == {"type": "heartbeat_ack", "timestamp": "2024-01-01T00:00:00Z"}
    assert last_seen() > before


async def test_reconnect_storm_leaves_the_count_right(open_socket, accounts, sites):
    """M10."""
    watcher = await open_socket("mod", STATUS)
    for _ in range(5):
        sockets = await asyncio.gather(
            *(open_socket("carol", STATUS, on=site) for site in sites * 4)
        )
        for number, socket in enumerate(sockets):
            if number % 2:
                abort(socket)
            else:
                await socket.connection.close()
    for _ in range(5 * 8):
        frame = await status_of(watcher, accounts["carol"])
    frames = [frame]
    while more := await rest_of(watcher, accounts["carol"]):
        frames += more
    assert frames[-1]["is_online"] is False


async def test_active_connections_are_the_status_sockets_of_this_process(open_socket, api, sites):
    """M13."""

    def active():
        return api("mod", sites[1]).get("realtime/stats/").json()["active_connections"]

    async def becomes(number):
        for _ in range(50):
            if active() == number:
                return True
            await asyncio.sleep(0.1)
        return False

    assert await becomes(0)
    sockets = [await open_socket("bob", STATUS) for _ in range(2)]
    await open_socket("bob", "/ws/messaging/")
    assert await becomes(2)
    await sockets[0].connection.close()
    assert await becomes(1)
    abort(sockets[1])
    assert await becomes(0)


def announcement(user_id, priority, **more):
    return {
        "user_id": user_id,
        "title": "Water",
        "message": "No water on Monday",
        "priority": priority,
        "action_url": "/water",
        **more,
    }


@pytest.mark.parametrize("priority", ["low", "medium", "high", "urgent"])
async def test_notification_for_one_user(open_socket, api, accounts, sites, priority):
    """M7, M11."""
    alice = await open_socket("alice", "/ws/notifications/")
    alice_too = await open_socket("alice", "/ws/notifications/")
    bob = await open_socket("bob", "/ws/notifications/")
    body = announcement(accounts["alice"]["user_id"], priority)
    answer = api("mod", sites[1]).post("notifications/", body)
    assert answer.status_code == 201
    is_urgent = priority == "urgent"
    for socket in (alice, alice_too):
        frame = await socket.expect("urgent_notification" if is_urgent else "general_notification")
        assert frame["id"] == answer.json()["id"]
        assert frame["id"].startswith("notif-urgent-" if is_urgent else "notif-")
        assert frame["title"] == "Water"
        assert frame["message"] == "No water on Monday"
        assert frame["priority"] == priority
        assert frame["action_url"] == "/water"
        assert isinstance(frame["timestamp"], str)
        assert await socket.rest() == []
    assert await bob.rest() == []


async def test_notification_for_everyone_comes_once(open_socket, api, sites):
    """M11."""
    sockets = [await open_socket(name, "/ws/notifications/") for name in ("alice", "bob", "carol")]
    answer = api("mod", sites[1]).post("notifications/", announcement(None, "urgent"))
    assert answer.status_code == 201
    for socket in sockets:
        assert [frame["id"] for frame in await socket.rest()] == [answer.json()["id"]]


async def test_notification_is_marked_read_for_its_reader_only(open_socket, api, sites):
    """M6."""

    def unread_of(name):
        return [item["id"] for item in api(name).get("notifications/").json()["results"]]

    body = announcement(None, "low")
    notification_id = api("mod", sites[1]).post("notifications/", body).json()["id"]
    assert notification_id in unread_of("alice")
    alice = await open_socket("alice", "/ws/notifications/")
    await alice.send("mark_as_read", notification_id=notification_id)
    assert await alice.next() == {
        "type": "notification_marked_read",
        "notification_id": notification_id,
    }
    assert notification_id not in unread_of("alice")
    assert notification_id in unread_of("bob")
    await alice.send("mark_as_read")
    assert await alice.error() == "invalid_payload"
