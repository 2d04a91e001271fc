"""What all Python tests share: the server under test is a command, chosen by an option."""

import shlex
import signal

import pytest

# A shell's background job starts with SIGINT ignored, and servers that we start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

SECONDS_PER_TEST = 60
DEFAULT_SERVER = "cppasgi"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that tells the tests which server to run."""
    parser.addoption(
        "--server-command",
        default=DEFAULT_SERVER,
        help='command that starts the server under test, e.g. "python -m cppasgi" (%(default)s)',
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gives every test without a time limit of its own the common one.

    With another server than the installed one only the tests that start it are kept.
    """
    if config.getoption("--server-command") != DEFAULT_SERVER:
        idle = [item for item in items if "server_command" not in _fixtures(item)]
        config.hook.pytest_deselected(items=idle)
        items[:] = [item for item in items if "server_command" in _fixtures(item)]
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS_PER_TEST))


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


@pytest.fixture(scope="session")
def server_command(request: pytest.FixtureRequest) -> list[str]:
    """The command that starts the server, split into words."""
    return shlex.split(request.config.getoption("--server-command"))
