"""When an application's first step is taken and its response sent, and by whose task."""

from __future__ import annotations

import asyncio
from typing import Any

from in_process import Client, Scope, answer, run, serving  # noqa: F401 - run is a fixture

GET = "GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def test_pipelined_responses_leave_together(run: Any) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, "hello")

    async def main() -> list[int]:
        async with serving(app) as server:
            client = await Client.open(server)
            client.send(GET * 40)
            found = []
            while sum(found) < 40:
                found.append((await client.reader.read(1 << 16)).count(b"hello"))
            await client.close()
            return found

    found = run(main())
    assert sum(found) == 40
    assert len(found) <= 3  # 16 at a time, lest others wait for long


def test_a_response_does_not_wait_for_a_slow_request_behind_it(run: Any) -> None:  # noqa: F811
    slow = asyncio.Event()

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await slow.wait()
        await answer(send, scope["path"])

    async def main() -> list[bytes]:
        async with serving(app) as server:
            client = await Client.open(server)
            client.send(GET + GET.replace(" / ", " /slow ") + GET)
            bodies = [(await client.response())[1]]
            slow.set()
            bodies += [(await client.response())[1] for _ in range(2)]
            await client.close()
            return bodies

    assert run(main()) == [b"/", b"/slow", b"/"]


def test_a_loop_that_makes_its_own_tasks_is_asked(run: Any) -> None:  # noqa: F811
    class Own(asyncio.Task[Any]):
        pass

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, type(asyncio.current_task()).__name__)

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        async with serving(app) as server:
            client = await Client.open(server)
            bodies = [(await client.get())[1]]
            loop.set_task_factory(lambda loop, coroutine, **_: Own(coroutine, loop=loop))
            bodies.append((await client.get())[1])
            loop.set_task_factory(None)
            bodies.append((await client.get())[1])
            await client.close()
            return bodies

    assert run(main()) == [b"Task", b"Own", b"Task"]


def test_a_replaced_create_task_is_asked() -> None:
    class Loop(asyncio.SelectorEventLoop):
        made = 0

        def create_task(self, *arguments: Any, **options: Any) -> Any:
            Loop.made += 1
            return super().create_task(*arguments, **options)

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        await answer(send, str(Loop.made))

    async def main() -> None:
        async with serving(app) as server:
            client = await Client.open(server)
            before = Loop.made
            assert int((await client.get())[1]) == before + 1
            await client.close()

    loop = Loop()
    loop.run_until_complete(asyncio.wait_for(main(), 30))
    loop.close()


def test_a_task_that_only_sends_gives_others_a_turn(run: Any) -> None:  # noqa: F811
    async def app(scope: Scope, receive: Any, send: Any) -> None:
        if scope["path"] == "/":
            await answer(send, "hello")
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not done:
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    async def main() -> bytes:
        async with serving(app) as server:
            pusher, other = await Client.open(server), await Client.open(server)
            pusher.send(GET.replace("/ ", "/push ", 1))
            await pusher.reader.readuntil(b"\r\n\r\n")
            assert (await other.get())[1] == b"hello"
            done.append(True)
            body = await pusher.reader.readuntil(b"0\r\n\r\n")
            await pusher.close()
            await other.close()
            return body

    done: list[bool] = []
    assert b"end" in run(main())
