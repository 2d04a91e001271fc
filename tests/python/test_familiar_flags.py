"""What users of uvicorn look for: the flags that Daphne doesn't have."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from pathlib import Path

import pytest
from conftest import StartServer
from server_process import HERE
from waiting import wait_until

import cppasgi
from cppasgi.processes.reload import Watched, is_watched


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


# --- --app-dir, --env-file ---


def test_the_application_is_found_in_its_folder(server: StartServer, tmp_path: Path) -> None:
    (tmp_path / "only_here.py").write_text("from apps.factories import greet\n")
    path = {"PYTHONPATH": str(HERE)}
    assert server("only_here:greet", "--app-dir", str(tmp_path), env=path).get("/").text == "made"


def test_variables_of_a_file(server: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "site.env"
    file.write_text('# comment\nexport GREETING="from the file"\nCPPASGI_SERVER_NAME=of-the-file\n')
    flags = ("--env-file", str(file))
    answer = server("apps.factories:greet", *flags).get("/")
    assert (answer.text, answer.headers["server"]) == ("from the file", "of-the-file")
    environ = {"GREETING": "from outside", "CPPASGI_SERVER_NAME": "of-outside"}
    answer = server("apps.factories:greet", *flags, "--workers", "2", env=environ).get("/")
    assert (answer.text, answer.headers["server"]) == ("from outside", "of-outside")
    config = tmp_path / "site.toml"
    config.write_text(f'env-file = "{file}"\n')
    answer = server("apps.factories:greet", "--config", str(config)).get("/")
    assert (answer.text, answer.headers["server"]) == ("from the file", "of-the-file")


def test_a_file_of_variables_that_is_not_there(server_command: list[str]) -> None:
    assert refused(server_command, "--env-file", "/no/such/file", "apps.factories:greet") == (
        2,
        "cppasgi: error: Can't read /no/such/file: No such file or directory",
    )


# --- --header ---


def test_fields_of_every_response(server: StartServer) -> None:
    flags = ("--header", "X-Frame-Options: DENY", "--header", "content-type: text/x-default")
    process = server("apps.probe:app", *flags)
    with process.connect() as wire:
        response = wire.get("/")
        assert response.header("x-frame-options") == "DENY"
        assert [v for n, v in response.headers if n == "content-type"] == ["text/plain"]
        assert wire.get("/raise-before").header("x-frame-options") == "DENY"
    with process.connect() as wire:
        response = wire.upgrade("/echo")
        assert (response.status, response.header("x-frame-options")) == (101, "DENY")
    with process.connect() as wire:
        wire.send("GET / HTTP/1.1\r\n\r\n")
        response = wire.response()
        assert (response.status, response.header("x-frame-options")) == (400, "DENY")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_responses_without_the_date(server: StartServer, workers: str) -> None:
    for flags, has_date in (((), True), (("--no-date-header",), False)):
        process = server("apps.probe:app", "--workers", workers, *flags)
        with process.connect() as wire:
            assert (wire.get("/").header("date") is not None) is has_date
        with process.connect() as wire:
            wire.send("GET / HTTP/1.1\r\n\r\n")
            response = wire.response()
            assert response.status == 400
            assert (response.header("date") is not None) is has_date


@pytest.mark.parametrize("headers", [[("X-A", "a\r\nX-B: b")], [("", "a")], [("Connection", "x")]])
def test_bad_fields_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"header field|server's own"):
        cppasgi.Server(lambda scope, receive, send: None, headers=headers)  # type: ignore


# --- --access-log-exclude ---


@pytest.mark.parametrize("form", ["daphne", "json"])
def test_paths_without_a_line_in_the_access_log(server: StartServer, form: str) -> None:
    flags = ("--access-log-exclude", "/report/a", "--access-log-exclude", "/echo")
    process = server("apps.probe:app", "--log-format", form, *flags)
    for target in ("/report/a", "/report/a?b", "/report/ab", "/"):
        process.get(target)
    with process.connect() as wire:
        wire.upgrade("/echo")
    with process.connect() as wire:
        wire.upgrade("/echo/other")
    wait_until(lambda: "/echo/other" in process.access_log())
    log = process.access_log()
    assert "/report/ab" in log
    assert log.count("/report") == 1
    assert log.count("/echo") == log.count("/echo/other")


# --- --unix-socket-mode ---


def test_permissions_of_the_unix_socket(server: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    for flags, mode in ((), 0o666), (("--unix-socket-mode", "660"), 0o660):
        process = server("apps.probe:app", "-u", str(path), *flags)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert process.get("/").text == "hello"
        assert process.stop() == 0


def test_permissions_are_for_a_unix_socket_that_is_named(server_command: list[str]) -> None:
    line = "cppasgi: error: --unix-socket-mode is for Unix sockets, and there is none"
    command = ("--unix-socket-mode", "660", "apps.probe:app")
    assert refused(server_command, *command) == (2, line)


# --- --reload-dir, --reload-include, --reload-exclude ---


def test_which_files_are_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    def watched(path: str, **patterns: list[str]) -> bool:
        return is_watched(str(tmp_path / path), Watched(**patterns))

    assert watched("site/views.py")
    assert not watched("site/page.html")
    assert watched("site/page.html", include=["*.html"])
    assert watched("site/page.html", include=["site/*.html"])
    assert not watched("other/page.html", include=["site/*.html"])
    assert watched("below/site/page.html", include=["site/*.html"])
    assert not watched("site/page.html", include=["*.html"], exclude=["page.*"])
    assert not watched("site/tests/deep/views.py", exclude=["site/tests"])
    assert not watched("site/tests/views.py", exclude=["./site/tests/"])
    assert not watched("site/tests/views.py", exclude=["tests/*.py"])
    assert not watched("site/tests/views.py", exclude=[str(tmp_path / "site")])
    assert watched("site/views.py", exclude=["site/tests", tmp_path.name])


def test_changes_in_the_given_folders_replace_the_workers(
    server: StartServer, tmp_path: Path
) -> None:
    pytest.importorskip("watchfiles")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    dirs = [flag for name in ("one", "two") for flag in ("--reload-dir", str(tmp_path / name))]
    patterns = ("--reload-include", "*.html", "--reload-exclude", "secret*")
    process = server("apps.probe:app", "--reload", *dirs, *patterns)
    (tmp_path / "elsewhere.py").touch()

    def write_until_seen(file: Path) -> None:
        def seen() -> bool:
            file.write_text(os.urandom(4).hex())
            return file.name in process.log()

        wait_until(seen, 20)

    (tmp_path / "one" / "secret.py").touch()
    write_until_seen(tmp_path / "two" / "page.html")
    write_until_seen(tmp_path / "one" / "views.py")
    assert "elsewhere" not in process.log()
    assert "secret" not in process.log()
    assert process.get("/").status_code == 200


def test_what_is_watched_counts_with_reload_only(server: StartServer) -> None:
    log = server("apps.probe:app", "--reload-include", "*.html").log()
    assert "counts with --reload only" in log


# --- Server.run() ---


def test_run_inside_a_loop_names_serve() -> None:
    async def application(scope: object, receive: object, send: object) -> None:
        raise AssertionError

    async def main() -> None:
        server = cppasgi.Server(application, port=0)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match=r"await serve\(\)"):
            server.run()
        serving = asyncio.ensure_future(server.serve())  # the object isn't spent
        await server.started()
        server.shutdown()
        await serving

    asyncio.run(main())
