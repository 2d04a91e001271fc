"""What users of uvicorn look for: the flags that Daphne doesn't have."""

from __future__ import annotations

import subprocess

import pytest
from conftest import StartServer
from server_process import HERE


def refused(server_command: list[str], *args: str) -> tuple[int, str]:
    """Exit status and last line of a command that doesn't start."""
    result = subprocess.run(
        [*server_command, "-p", "0", *args], cwd=HERE, capture_output=True, text=True, timeout=30
    )
    return result.returncode, result.stderr.splitlines()[-1]


# --- --factory ---


@pytest.mark.parametrize("name", ["make", "make_with", "make_partial", "Site"])
def test_a_factory_makes_the_application(server: StartServer, name: str) -> None:
    """With the flag; without it too, as with uvicorn, but the log says so."""
    path = f"apps.factories:{name}"
    process = server(path, "--factory")
    assert process.get("/").text == "made"
    assert "--factory" not in process.log()
    process = server(path)
    assert process.get("/").text == "made"
    assert f"{path} takes no scope: taken as what makes the application" in process.log()


@pytest.mark.parametrize("name", ["app", "instance", "asgi2"])
def test_applications_are_no_factories(server: StartServer, name: str) -> None:
    assert server(f"apps.factories:{name}").get("/").text == "made"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("failing", "failed: KeyError: 'SECRET_KEY' ("),
        ("forgetful", "returned no application: a NoneType is not callable"),
        ("asynchronous", "returned no application: a coroutine is not callable"),
        ("greet", "failed: TypeError: greet() missing 3 required positional arguments"),
    ],
)
def test_bad_factories_are_one_line(server_command: list[str], name: str, text: str) -> None:
    status, line = refused(server_command, "--factory", f"apps.factories:{name}")
    assert status == 1
    assert line.startswith(f'cppasgi: The factory "apps.factories:{name}" {text}')
