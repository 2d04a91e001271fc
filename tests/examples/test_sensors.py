"""The sensor service: REST, events over WebSockets, lifespan, the test clients (E1 to E14)."""

import asyncio
import signal
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from datetime import datetime

import httpx
import pytest
import pytest_asyncio
from ports import free_port
from sites import (
    BAD_FRAMES,
    SENSORS,
    Frames,
    assert_errors,
    assert_refused,
    handshake,
    request,
    running,
)

EXAMPLE = SENSORS
WS = "/api/v1/ws"


@pytest.fixture(scope="module")
def client(site):
    """HTTP without login."""
    with httpx.Client(base_url=f"{site.base}/api/v1") as client:
        yield client


@pytest.fixture(scope="module")
def with_token(site, accounts):
    headers = {"Authorization": f"Bearer {accounts['alice'].token}"}
    with httpx.Client(base_url=f"{site.base}/api/v1", headers=headers) as client:
        yield client


@pytest_asyncio.fixture
async def listen(site):
    """A function that opens a channel without origin or login and reads the two greetings."""
    async with AsyncExitStack() as stack:

        async def connect(channel, **more):
            connecting = handshake(site, f"{WS}?channel={channel}", **{"origin": None, **more})
            frames = Frames(await stack.enter_async_context(connecting))
            frames.greetings = [await frames.next(), await frames.next()]
            return frames

        yield connect


def is_local(timestamp):
    return datetime.fromisoformat(timestamp).tzinfo is None


def test_health_says_that_start_up_ran(site):
    """C1, C6, E14."""
    assert site.health().json() == {
        "status": "ok",
        "channel_layer": None,
        "pid": site.process.pid,
        "lifespan": True,
    }


def test_login(site, accounts, client):
    """C4, C5."""
    assert [accounts[name].id for name in ("alice", "bob", "carol", "mod")] == [1, 2, 3, 4]
    login = accounts["mod"].login
    assert (login["username"], login["display_name"]) == ("mod", "Mod Marsh")
    assert login["token_type"] == "bearer"
    for body in (
        {"username": "alice", "password": "no"},
        {"username": "x", "password": "demo-pass"},
    ):
        answer = client.post("/auth/login", json=body)
        assert answer.status_code == 401
        assert isinstance(answer.json()["detail"], str)


@pytest.mark.asyncio
@pytest.mark.parametrize("channel", ["sensors", "readings", "general"])
async def test_two_frames_on_connect_count_the_new_socket(site, listen, channel):
    """E1, E3, E9."""
    before = request("GET", f"{site.base}{WS}/stats/{channel}").json()["connections"]
    connection, stats = (await listen(channel)).greetings
    assert is_local(connection.pop("timestamp"))
    assert connection == {"type": "connection", "status": "connected", "channel": channel}
    assert stats["type"] == "stats"
    assert stats["channel"] == channel
    assert set(stats["stats"]["channels"]) == {"sensors", "readings", "general"}
    assert stats["stats"]["channels"][channel] == before + 1
    assert stats["stats"]["total_connections"] == sum(stats["stats"]["channels"].values())
    assert request("GET", f"{site.base}{WS}/stats").json() == stats["stats"]
    answer = request("GET", f"{site.base}{WS}/stats/{channel}").json()
    assert answer == {"channel": channel, "connections": before + 1}


@pytest.mark.asyncio
async def test_channel_defaults_to_general_and_origins_are_not_checked(site, listen):
    """E1."""
    for origin in (None, "null", "http://example.org"):
        async with handshake(site, WS, origin=origin) as connection:
            assert (await Frames(connection).next())["channel"] == "general"
    await assert_refused(handshake(site, f"{WS}?channel=nothing"))
    await assert_refused(handshake(site, f"{WS}?channel="))


@pytest.mark.asyncio
async def test_secure_route_wants_a_token(site, accounts):
    """E2, C7."""
    token = accounts["alice"].token
    async with handshake(site, f"{WS}/secure?token={token}&channel=readings") as connection:
        assert (await Frames(connection).next())["channel"] == "readings"
    for query in ("", "?token=", "?token=nonsense", f"?token={token[:-4]}AAAA", "?token=a%00%ff"):
        await assert_refused(handshake(site, f"{WS}/secure{query}"))
    await assert_refused(handshake(site, f"{WS}/secure?token={token}&channel=no"))
    await assert_refused(handshake(site, f"{WS}/nowhere"), *range(400, 600))
    assert request("GET", f"{site.base}{WS}/stats/nothing").status_code == 404


@pytest.mark.asyncio
async def test_closed_sockets_are_not_counted(site, listen):
    """E3, E9."""
    frames = await listen("general")
    count = frames.greetings[1]["stats"]["channels"]["general"]
    frames.connection.transport.abort()
    deadline = time.monotonic() + 5
    while request("GET", f"{site.base}{WS}/stats/general").json()["connections"] >= count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.mark.asyncio
async def test_client_frames_and_errors(listen):
    """E11, C8, C9."""
    frames = await listen("general")
    await frames.send("ping")
    assert is_local((await frames.expect("pong"))["timestamp"])
    await frames.send("get_stats")
    assert (await frames.expect("stats"))["stats"]["channels"]["general"] >= 1
    await assert_errors(frames, [case for case in BAD_FRAMES if case[0] != b'{"type":"ping"}'])
    await frames.connection.send(b'{"type":"ping"}')
    assert await frames.error() == "invalid_json"


@pytest.mark.asyncio
async def test_sensor_events(listen, with_token):
    """E4, E5, E6."""
    frames, other = await listen("sensors"), await listen("readings")
    made = with_token.post("/sensores/", json={"tipo": "temperatura", "modelo": "DHT22"})
    assert made.status_code == 201
    sensor = made.json()
    event = await frames.expect("entity_event")
    assert is_local(event.pop("timestamp"))
    assert event == {
        "type": "entity_event",
        "entity_type": "sensor",
        "event_type": "created",
        "entity_id": sensor["id"],
        "data": sensor,
        "metadata": {"action": "create_sensor"},
    }
    path = f"/sensores/{sensor['id']}"
    assert with_token.put(path, json={"modelo": "DHT22"}).json() == sensor  # no change, no event
    changed = with_token.put(path, json={"modelo": "DHT11", "tipo": "temperatura"})
    assert changed.status_code == 200
    event = await frames.expect("entity_event")
    assert (event["event_type"], event["metadata"]) == (
        "updated",
        {"action": "update_sensor", "fields_updated": ["modelo"]},
    )
    assert event["data"] == {**changed.json(), "updated_fields": ["modelo"]}
    assert with_token.get(path).json() == changed.json()
    deleted = with_token.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    event = await frames.expect("entity_event")
    assert (event["event_type"], event["metadata"]) == ("deleted", {"action": "delete_sensor"})
    assert event["data"] == changed.json()
    assert with_token.get(path).status_code == 404
    assert await other.rest() == []


@pytest.mark.asyncio
async def test_reading_events(listen, with_token, client):
    """E4, E5, E8."""
    sensor_id = client.post("/test-sensors/", json={"tipo": "t", "modelo": "m"}).json()["id"]
    frames, other = await listen("readings"), await listen("sensors")
    body = {"sensor_id": sensor_id, "valor": 21.5, "unidad": "°C"}
    reading = with_token.post("/lecturas/", json=body).json()
    event = await frames.expect("entity_event")
    assert (event["entity_type"], event["data"]) == ("lectura", reading)
    assert event["metadata"] == {"action": "create_lectura"}
    assert isinstance(event["data"]["valor"], float)
    client.put(f"/test-lecturas/{reading['id']}", json={"valor": 22})
    event = await frames.expect("entity_event")
    assert (event["data"]["valor"], event["data"]["updated_fields"]) == (22.0, ["valor"])
    assert client.delete(f"/test-lecturas/{reading['id']}").status_code == 204
    event = await frames.expect("entity_event")
    assert event["metadata"] == {"action": "delete_lectura"}
    assert client.post("/test-lecturas/", json={**body, "sensor_id": 10**9}).status_code == 404
    assert await other.rest() == []


def test_token_is_needed_and_paths_are_exact(client, with_token):
    """E6, E7, C5."""
    for method, path in (("GET", "/sensores/"), ("POST", "/sensores/"), ("PUT", "/lecturas/1")):
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic x"}):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert isinstance(answer.json()["detail"], str)
    assert isinstance(with_token.get("/sensores/").json(), list)
    assert with_token.get("/sensores/").json() == client.get("/test-sensors/").json()
    for path in ("/sensores", "/sensores/1/", "/test-sensors", "/test-lecturas"):
        assert with_token.get(path).status_code == 404
    for method in ("GET", "PUT", "DELETE"):
        body = {"modelo": "x"} if method == "PUT" else None
        assert with_token.request(method, "/sensores/99999", json=body).status_code == 404
    for body in ({}, {"tipo": 1, "modelo": "m"}, {"tipo": "", "modelo": "m"}, []):
        assert client.post("/test-sensors/", json=body).status_code == 422
    assert client.post("/test-sensors/", content=b"{").status_code == 422


@pytest.mark.asyncio
async def test_events_leave_in_the_order_of_the_requests(listen, client):
    """E5: the requests come one after another over one connection."""
    frames = [await listen("sensors") for _ in range(3)]
    ids = [
        client.post("/test-sensors/", json={"tipo": "t", "modelo": str(number)}).json()["id"]
        for number in range(20)
    ]
    for socket_ in frames:
        assert [(await socket_.next())["entity_id"] for _ in ids] == ids


def test_pipelined_requests_are_answered_in_order(site):
    """E6: several requests in one write, as HTTP/1.1 allows."""
    body = b'{"tipo":"pipelined","modelo":"%d"}'
    head = (
        b"POST /api/v1/test-sensors/ HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n"
    )
    bodies = [body % number for number in range(5)]
    requests = [head % len(text) + b"\r\n" + text for text in bodies[:-1]]
    requests.append(head % len(bodies[-1]) + b"Connection: close\r\n\r\n" + bodies[-1])
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(b"".join(requests))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.count(b"HTTP/1.1 201 ") == 5
    places = [answer.index(b'"modelo":"%d"' % number) for number in range(5)]
    assert places == sorted(places)


@pytest.mark.asyncio
async def test_background_task_runs_after_the_answer(listen, client):
    """E10."""
    frames = await listen("general")
    start = time.monotonic()
    answer = client.post("/ws/test-event", json={"message": "hello", "delay_ms": 400})
    answered = time.monotonic() - start
    assert answer.json() == {"status": "sent", "channel": "general"}
    event = await frames.expect("system_event")
    assert time.monotonic() - start >= 0.4
    assert answered < 0.35
    assert is_local(event.pop("timestamp"))
    assert event == {
        "type": "system_event",
        "event_type": "test",
        "channel": "general",
        "data": {"message": "hello"},
        "metadata": {},
    }
    assert client.post("/ws/test-event", json={}).status_code == 200
    assert (await frames.expect("system_event"))["data"] == {"message": "test"}
    for body in ({"delay_ms": 5001}, {"delay_ms": -1}, {"channel": "no"}):
        assert client.post("/ws/test-event", json=body).status_code == 422


def test_pages_and_documentation(site):
    """E12, E14."""
    for path, kind in (
        ("/", "text/html"),
        ("/websocket_client.html", "text/html"),
        ("/docs", "text/html"),
        ("/openapi.json", "application/json"),
        ("/static/app.js", "text/javascript"),
    ):
        answer = request("GET", site.base + path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(kind)
    assert request("GET", f"{site.base}{WS}").status_code == 404


def test_test_client_counts_five_frames(site):
    """E12: the script of the service's description."""
    script = [sys.executable, "test_websocket_no_auth.py", "--base"]
    for base, status in ((site.base, 0), ("http://127.0.0.1:1", 1)):
        result = subprocess.run([*script, base], cwd=EXAMPLE.folder, capture_output=True, text=True)
        assert result.returncode == status, result.stdout + result.stderr


@pytest.mark.asyncio
async def test_runserver_and_stop(server_command, environments, tmp_path):
    """E14, X3: `manage.py runserver`; SIGTERM closes the sockets with 1001 or 1012, status 0."""
    server = server_command[-1]
    if server not in ("cppasgi", "uvicorn"):
        pytest.skip("runserver knows cppasgi and uvicorn")
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", str(port), "--server", server]
    with running(EXAMPLE, command, port, tmp_path / "log", environments(EXAMPLE)) as site:
        async with handshake(site, WS, origin=None) as connection:
            frames = Frames(connection)
            await frames.expect("connection")
            status = asyncio.create_task(asyncio.to_thread(site.stop))
            assert await frames.closed() in (1001, 1012)
            # uvicorn ends by the signal that it was sent, as if it hadn't caught it.
            assert await status in ((0,) if server == "cppasgi" else (0, -signal.SIGTERM))
