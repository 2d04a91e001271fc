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

    With another server than the installed one only the tests that start it are kept, without those
    of what is Python in every server.
    """
    if config.getoption("--server-command") != DEFAULT_SERVER:
        config.hook.pytest_deselected(items=[item for item in items if not _starts_server(item)])
        items[:] = [item for item in items if _starts_server(item)]
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS_PER_TEST))


def _starts_server(item: pytest.Item) -> bool:
    is_python = item.get_closest_marker("python_side") is not None
    return (
        isinstance(item, pytest.Function)
        and "server_command" in item.fixturenames
        and not is_python
    )


@pytest.fixture(scope="session")
def server_command(request: pytest.FixtureRequest) -> list[str]:
    """The command that starts the server, split into words."""
    return shlex.split(request.config.getoption("--server-command"))
