"""Fixtures of the matrix of awkward moments: database, Redis, and the servers that cells share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import services

from servers import KINDS, Kind, Servers


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that compares."""
    parser.addoption(
        "--server", choices=KINDS, default="cppasgi", help="what is tested (%(default)s)"
    )


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.config.getoption("--server")]


@pytest.fixture(scope="session")
def command(request: pytest.FixtureRequest, server_command: list[str]) -> list[str]:
    """What starts the server; the others than cppasgi have an environment of their own."""
    name = request.config.getoption("--server")
    if name == "cppasgi":
        return server_command
    program = request.config.rootpath / "build" / "moments" / "bin" / name
    assert program.exists(), f"scripts/moments_table.py installs {name} first"
    return [str(program)]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with services.postgres() as host:
        yield host


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    with services.redis() as server:
        yield server.url


@pytest.fixture(scope="session")
def database(postgres: str) -> Iterator[services.Database]:
    found = services.Database(postgres)
    yield found
    found.close()


@pytest.fixture(scope="session")
def servers(
    kind: Kind,
    command: list[str],
    postgres: str,
    redis: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Servers]:
    found = Servers(kind, command, tmp_path_factory.mktemp("moments"), postgres, redis)
    yield found
    found.close()
