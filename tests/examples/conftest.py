"""Fixtures of the examples' tests: each example's server is started once per test process.

The server is `--server-command` (default cppasgi; daphne and uvicorn work too, daphne not for the
sensors, which need lifespan). Tests of a protocol over the channel layer use `sites` and run twice:
with one process and the in-memory layer, and with two processes that share Redis, where alice and
carol are on the first and bob and mod on the second.
"""

from contextlib import AsyncExitStack, ExitStack, nullcontext
from pathlib import Path

import pytest
import pytest_asyncio
from sites import (
    SENSORS,
    Account,
    Frames,
    clean_environment,
    handshake,
    manage,
    redis_running,
    serving,
)

HERE = Path(__file__).resolve().parent
USERS = ("alice", "bob", "carol", "mod")


def pytest_addoption(parser):
    """Adds the sizes of crowds: that of the restarts, and how much of RED-RED's picture."""
    parser.addoption("--picture", type=float, default=0.1, help="part of it (%(default)s)")
    parser.addoption(
        "--clients", type=int, default=40, help="sockets of the restart test (%(default)s)"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Gives the first test of a worker time to prepare a database and start servers."""
    for item in items:
        if item.path.parent == HERE and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture(scope="session")
def environments(tmp_path_factory):
    """A function: example to its environment; a Django example's database is ready."""
    made = {}

    def get(example):
        if example not in made:
            made[example] = clean_environment(tmp_path_factory.mktemp(example.name))
            if example.is_django:
                manage(example, made[example], "migrate", "--verbosity", "0")
                manage(example, made[example], "seed_demo")
        return made[example]

    return get


@pytest.fixture(scope="session")
def start_site(server_command, environments, tmp_path_factory):
    """A function: example and more environment to a context manager with one more server."""

    def start(example, *options, port=None, **more):
        if example is SENSORS and "daphne" in server_command[-1]:
            pytest.skip("Daphne has no lifespan")
        environment = {**environments(example), **more}
        folder = tmp_path_factory.mktemp("server")
        return serving(example, server_command, folder, environment, *options, port=port)

    return start


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory):
    with redis_running(tmp_path_factory.mktemp("redis")) as (port, _):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="session")
def shared(request):
    """A function that makes a thing once per test process: key and context manager to the thing."""
    things = {}
    with ExitStack() as stack:

        def get(key, make):
            if key not in things:
                things[key] = stack.enter_context(make())
            return things[key]

        yield get


@pytest.fixture(scope="module")
def example(request):
    """The example that a module is about: its EXAMPLE."""
    return request.module.EXAMPLE


@pytest.fixture(scope="module")
def site(shared, start_site, example):
    """One process with the in-memory layer."""
    return shared(example.name, lambda: start_site(example))


@pytest.fixture(scope="module", params=["one process", "two processes and Redis"])
def sites(request, shared, start_site, site, example):
    """(alice's and carol's server, bob's and mod's server)."""
    if request.param == "one process":
        return site, site
    url = request.getfixturevalue("redis_url")
    return tuple(
        shared((example.name, number), lambda: start_site(example, REDIS_URL=url))
        for number in range(2)
    )


@pytest.fixture(scope="module")
def accounts(shared, site):
    """User name to Account."""
    return {
        name: shared((site.example.name, name), lambda name=name: nullcontext(Account(site, name)))
        for name in USERS
    }


@pytest.fixture
def site_of(sites):
    """A function: user name to the server he is on."""
    return lambda name: sites[0 if name in ("alice", "carol") else 1]


@pytest.fixture
def api(accounts, site_of):
    """A function: user name, method, path and body to the response of that user's server."""
    return lambda name, *call: accounts[name].call(site_of(name), *call)


@pytest_asyncio.fixture
async def open_socket(accounts, site_of):
    """A function that opens a route as a user, by session cookie, and reads the first frame."""
    async with AsyncExitStack() as stack:

        async def connect(name, route):
            connecting = handshake(site_of(name), route, accounts[name])
            frames = Frames(await stack.enter_async_context(connecting))
            frames.greeting = await frames.next()
            return frames

        yield connect
