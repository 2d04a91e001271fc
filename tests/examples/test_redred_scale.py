"""RED-RED's picture (R16): 787 sockets on one process, for chats, bells, streams and viewers.

`--picture 1` is the whole of it with its limits (p99 of delivery, memory), the default a tenth.
"""

import asyncio
import itertools
import json
import time
from contextlib import AsyncExitStack

import pytest
import websockets
from processes import resident
from sites import REDRED, manage, serving

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(180)]

USERS = 234  # two in each room; with their tabs they have 450 bells
VIEWERS = (45, 23, 12)  # of the first three streams
SECONDS = 10
PREPARE = """
import json
from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from chat.services import open_room
users, cookies = [], []
for number in range(%d):
    user = get_user_model().objects.create_user(f'u{number}')
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = 'django.contrib.auth.backends.ModelBackend'
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    users.append(user)
    cookies.append(session.session_key)
rooms = [open_room(user, f'u{2 * number + 1}')[0].name for number, user in enumerate(users[::2])]
print(json.dumps([cookies, rooms]))
"""


class Picture:
    """The sockets, and how long messages took to reach each of those that they are for."""

    def __init__(self, site, cookies, stack):
        self.site, self.cookies, self.stack = site, cookies, stack
        self.delays = []
        self.expected = 0
        self.sent = {}  # text to when it was sent
        self.sockets = 0
        self.bells = 0
        self.last = 0.0  # when a frame came
        self.readers = []

    async def open(self, route, user, kind):
        """Opens a socket, and has every frame of one kind that comes on it timed."""
        connection = await self.stack.enter_async_context(
            websockets.connect(
                f"{self.site.ws}{route}",
                origin=self.site.base,
                additional_headers={"Cookie": f"sessionid={self.cookies[user]}"},
                open_timeout=30,
                compression=None,
            )
        )
        self.sockets += 1
        self.readers.append(asyncio.create_task(self.read(connection, kind)))
        return connection

    async def read(self, connection, kind):
        async for text in connection:
            self.last = now = time.monotonic()
            frame = json.loads(text)
            if frame["type"] == kind:
                data = frame["data"]
                self.delays.append(now - self.sent[data.get("message") or data.get("text")])
            elif frame["type"] == "new_notification":
                self.bells += 1

    async def say(self, connection, kind, field, text, members):
        self.expected += members
        self.sent[text] = time.monotonic()
        frame = {"type": kind, "data": {field: text}}
        await connection.send(json.dumps(frame))


async def gather(openings, at_a_time=20):
    """Opens many sockets, some at a time; in their order."""
    made, openings = [], iter(openings)
    while some := list(itertools.islice(openings, at_a_time)):
        made += await asyncio.gather(*some)
    return made


async def test_the_picture(server_command, environments, tmp_path, pytestconfig):
    """R16: no message is lost; in full size p99 of delivery under 50 ms and little memory."""
    part = pytestconfig.getoption("--picture")
    environment = environments(REDRED)
    answer = manage(REDRED, environment, "shell", "-c", PREPARE % USERS)
    cookies, rooms = json.loads(answer.splitlines()[-1])
    async with AsyncExitStack() as stack:
        site = stack.enter_context(serving(REDRED, server_command, tmp_path, environment))
        before = resident(site.process.pid)
        picture = Picture(site, cookies, stack)
        chat = await gather(
            picture.open(f"/ws/chat/{rooms[n // 2]}/", n, "chat_message")
            for n in range(round(USERS * part))
        )
        await gather(
            picture.open("/ws/notifications/", n % USERS, None) for n in range(round(450 * part))
        )
        streamers = await gather(
            picture.open(f"/ws/live/s{n}/", n, "comment") for n in range(max(round(23 * part), 3))
        )
        watching = [max(round(count * part), 1) for count in VIEWERS]
        await gather(
            picture.open(f"/ws/live/s{stream}/", 23 + n, "comment")
            for stream, count in enumerate(watching)
            for n in range(count)
        )
        # What all these arrivals told each other has been told.
        while time.monotonic() - picture.last < 1:
            await asyncio.sleep(0.1)
        end = time.monotonic() + (SECONDS if part == 1 else 2)
        number = 0
        while time.monotonic() < end:
            number += 1
            author = chat[number % len(chat)]
            await picture.say(author, "chat_message", "message", f"m{number}", 2)
            await asyncio.sleep(0.1)
            stream = number % 3
            await picture.say(
                streamers[stream], "comment", "text", f"c{number}", watching[stream] + 1
            )
            await asyncio.sleep(0.1)
        deadline = time.monotonic() + 20
        while len(picture.delays) < picture.expected and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        assert len(picture.delays) == picture.expected
        assert picture.bells > 0
        assert not any(reader.done() for reader in picture.readers)
        delays = sorted(picture.delays)
        p50, p99 = (delays[int(len(delays) * share)] * 1e3 for share in (0.5, 0.99))
        grown = (resident(site.process.pid) - before) / 2**20
        print(
            f"\n{picture.sockets} sockets, {len(delays)} deliveries, {picture.bells} notifications,"
            f" p50 {p50:.1f} ms, p99 {p99:.1f} ms, {grown:.1f} MiB more memory"
        )
        if part == 1:
            assert picture.sockets == 787
            assert p99 < 50
            assert grown < 30
        for reader in picture.readers:
            reader.cancel()
