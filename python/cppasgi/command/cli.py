"""The ``cppasgi`` command: its flags, and what it prints when something is wrong.

Exit statuses: 0 stopped as asked, or ``--check`` found no problem; 1 the application or an address
could not be had, the process had to be ended at its deadline, or ``--check`` found a problem; 2
wrong command line; 3 the application failed at lifespan start-up or shutdown; 130 and 143 ended at
once by a signal that insists (`cppasgi.serving.signals.StopSignals`). 4 is that of a process whose
event loop was stuck (`cppasgi.serving.loop_guard`).
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

from cppasgi._native import end_at_sigterm, end_process_in, keep_freed_memory
from cppasgi.command.configuration import ConfigurationError, configured, flag_keys, load_env_file
from cppasgi.command.options import OptionParser, fixed_options, is_supervised, warnings_of
from cppasgi.observing.access import open_access_log, reopen_access_log
from cppasgi.observing.log_setup import (
    LogConfigError,
    reopen_log_files,
    set_up_logging,
)
from cppasgi.serving.lifespan import LifespanError
from cppasgi.serving.loader import (
    ApplicationLoadError,
    is_factory,
    load_application,
    made_by_factory,
    single_callable,
)
from cppasgi.serving.loops import thread_pool_size
from cppasgi.serving.run import END_SECONDS
from cppasgi.serving.server import Server
from cppasgi.serving.signals import (
    handled,
    pass_over_supervisors_signals,
    survive_early_signals,
    write_stacks_on_signal,
)
from cppasgi.serving.worker import VARIABLE, Worker
from cppasgi.settings.endpoints import (
    EndpointError,
    ListenError,
    endpoint_descriptions,
    parse_endpoint,
)
from cppasgi.settings.values import JSON_FORMAT

if TYPE_CHECKING:
    from cppasgi.settings.asgi import Application

logger = logging.getLogger("cppasgi.cli")

EXIT_FAILURE = 1
EXIT_LIFESPAN = 3

_EXIT_SECONDS = 2.0
"""What exit handlers and threads get after the server has stopped by itself."""
_LEAST_EXIT_SECONDS = 0.1
"""The same after a stop that took all of its time."""
_YOUNG_OBJECTS = 5_000
"""How many containers more may be made than freed before Python collects its youngest.

With its own 700 (2,000 from 3.13 on), that is a twentieth of what Channels does for a message: what
an await holds is found alive again and again. Beyond 5,000 there is no more to gain.
"""
_PYTHONS_SWITCH_SECONDS = 0.005
"""`sys.getswitchinterval()` when nobody has set it."""
_SWITCH_SECONDS = 0.002
"""How long a thread that computes may keep the interpreter while others wait for it.

The event loop waits so long for each thing it does beside such a thread, as synchronous views are.
Shorter than 2 ms costs Django time: what two threads do in turns is then cut into more of them.
"""


class CommandLineInterface:
    """The command line, open to subclasses.

    Same as Daphne's class: `description`, `server_class`, `load_asgi_app()`, `parser`, `server`,
    `arg_proxy_host`, `arg_proxy_port`, `run(args)` and `entrypoint()`. `server_arguments()` is
    cppasgi's own hook.
    """

    description = "Native ASGI server for HTTP and WebSocket"
    server_class: type[Server] = Server
    server: Server | None = None

    def __init__(self) -> None:
        """Builds the parser, which subclasses may extend."""
        self.parser = OptionParser(self.description)
        self.arg_proxy_host = self.parser.arg_proxy_host
        self.arg_proxy_port = self.parser.arg_proxy_port

    @classmethod
    def entrypoint(cls) -> None:
        """Runs the command with the arguments of the process; the console script.

        ``migrate``, ``status`` and ``top`` can't be applications, which have a colon: they are
        commands of their own.
        """
        if sys.argv[1:2] == ["migrate"]:
            from cppasgi.command import migrate

            migrate.main(sys.argv[2:])
            return
        if sys.argv[1:2] in (["status"], ["top"]):
            from cppasgi.command import status

            status.main(sys.argv[1], sys.argv[2:])
            return
        survive_early_signals(is_worker=VARIABLE in os.environ)
        _fill_standard_descriptors()
        interface = cls()
        try:
            interface.run(sys.argv[1:])
        except argparse.ArgumentError as error:
            interface.parser.error(str(error))
        finally:
            interface._limit_exit()

    def load_asgi_app(self, asgi_app_path: str) -> Any:
        """Imports the application from ``module:attribute``; a hook for subclasses.

        Raises:
            ApplicationLoadError: it can't be had; the text is one line.
        """
        return load_application(asgi_app_path)

    def run(self, args: Sequence[str]) -> None:
        """Parses ``args`` and serves until a signal comes.

        Raises:
            SystemExit: anything but a clean stop, see the module's exit statuses.
            argparse.ArgumentError: a name of a proxy's field without ``--proxy-headers``; as with
                Daphne. `entrypoint()` makes it one line and status 2.
        """
        options = self._parse(args)
        for action in (self.arg_proxy_host, self.arg_proxy_port):
            if getattr(options, action.dest) and options.proxy_headers is None:
                raise argparse.ArgumentError(
                    action, "--proxy-headers has to be passed for this parameter."
                )
        try:
            _set_up_logging(options)
        except LogConfigError as error:
            self.parser.error(str(error))
        sys.path.insert(0, os.path.abspath(options.app_dir or os.getcwd()))
        try:
            endpoints = endpoint_descriptions(
                options.host,
                options.port,
                options.unix_socket,
                options.file_descriptor,
                options.socket_strings,
                options.unix_socket_mode,
                options.proxy_protocol,
            )
            # --check lists all that is wrong, and a subclass's server may know other endpoints.
            if not options.check and issubclass(self.server_class, Server):
                for description in endpoints:
                    parse_endpoint(description)
        except EndpointError as error:
            self.parser.error(str(error))
        try:
            if options.check:
                sys.exit(self._check(endpoints, options))
            end_at_sigterm()
            worker = Worker.inherited(os.environ)
            if worker is None:
                for warning in warnings_of(options):
                    logger.warning("%s", warning)
            if worker is None and is_supervised(options):
                sys.exit(self._supervise(endpoints, options, args))
            if worker is None:
                pass_over_supervisors_signals()
            _tune_interpreter()
            application = single_callable(self._load(options))
            self._serve(cast("Application", application), endpoints, options, worker)
        except ApplicationLoadError as error:
            _fail(str(error), EXIT_FAILURE)
        except ListenError as error:
            _fail(f"Listen failure: {error}", EXIT_FAILURE)
        except LifespanError as error:
            _fail(str(error), EXIT_LIFESPAN)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)

    def _load(self, options: argparse.Namespace) -> Any:
        """The application, whether it is named itself or a factory is."""
        named = self.load_asgi_app(options.application)
        if options.factory:
            return made_by_factory(options.application, named)
        if is_factory(named):
            logger.warning(
                "%s takes no scope: taken as what makes the application (--factory says so)",
                options.application,
            )
            return made_by_factory(options.application, named)
        return named

    def _parse(self, args: Sequence[str]) -> argparse.Namespace:
        try:
            return self._read(args)
        except ConfigurationError as error:
            self.parser.error(str(error))

    def _read(self, args: Sequence[str]) -> argparse.Namespace:
        """Reads all flags, wherever they are set; a ConfigurationError says what is wrong."""
        config = self.parser.parse_args(args).config

        def with_configured() -> argparse.Namespace:
            return self.parser.parse_args(args, configured(self.parser, config, os.environ))

        options = with_configured()
        if options.env_file:
            load_env_file(options.env_file)
            options = with_configured()
        try:
            thread_pool_size()
        except ValueError as error:
            raise ConfigurationError(str(error)) from None
        if not hasattr(options, "application"):
            raise ConfigurationError("the following arguments are required: application")
        return options

    def _check(self, endpoints: list[str], options: argparse.Namespace) -> int:
        from cppasgi.command.preflight import findings

        problems = 0
        for finding in findings(lambda: self._load(options), endpoints, options):
            kind = "warning" if finding.is_warning else "problem"
            print(f"cppasgi: {kind}: {finding.text}", file=sys.stderr)
            problems += not finding.is_warning
        for warning in warnings_of(options):
            print(f"cppasgi: warning: {warning}", file=sys.stderr)
        result = "failed" if problems else "passed"
        print(f"cppasgi: the check of {options.application} {result}", file=sys.stderr)
        return EXIT_FAILURE if problems else 0

    def _supervise(
        self, endpoints: list[str], options: argparse.Namespace, args: Sequence[str]
    ) -> int:
        """Serves with worker processes; returns the exit status."""
        from cppasgi.processes.live_settings import Configuration
        from cppasgi.processes.supervisor import Supervisor
        from cppasgi.processes.worker_process import worker_command

        logger.info("Starting server at %s", ", ".join(endpoints))
        reloads = None
        if options.reload:
            from cppasgi.processes.reload import Watched, check_reload

            reloads = Watched(options.reload_dir, options.reload_include, options.reload_exclude)
        try:
            supervisor = Supervisor(
                worker_command(),
                endpoints,
                Configuration(
                    {action.dest: key for key, action in flag_keys(self.parser)},
                    fixed_options(),
                    options,
                    lambda: self._read(args),
                    _set_up_logging,
                ),
                reloads=reloads,
                metrics=options.metrics,
            )
            if reloads is not None:
                check_reload()
        except EndpointError as error:
            self.parser.error(str(error))
        except ImportError as error:
            _fail(str(error), EXIT_FAILURE)
        return supervisor.run()

    def _serve(
        self,
        application: Application,
        endpoints: list[str],
        options: argparse.Namespace,
        worker: Worker | None,
    ) -> None:
        try:
            access_log = open_access_log(
                options.access_log,
                options.verbosity,
                is_required=worker is None or not worker.is_late,
            )
        except OSError as error:
            _fail(f"Can't open the access log {options.access_log}: {error.strerror}", EXIT_FAILURE)
        arguments = self.server_arguments(options)
        if worker is None:
            logger.info("Starting server at %s", ", ".join(endpoints))
            if "NOTIFY_SOCKET" in os.environ:
                from cppasgi.serving.systemd import Notifier

                arguments["notifier"] = Notifier.of_service(os.environ)
        else:
            arguments.update(worker=worker, metrics=worker.board)
        try:
            self.server = self.server_class(
                application=application, endpoints=endpoints, access_log=access_log, **arguments
            )
        except EndpointError as error:
            self.parser.error(str(error))
        except ImportError as error:
            _fail(str(error), EXIT_FAILURE)
        if not any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
            keep_freed_memory()
        if worker is not None and worker.number == 1 and options.workers > 1:
            from cppasgi.command.preflight import layers_in_memory

            for name in layers_in_memory():
                logger.warning('The channel layer "%s" is in memory: workers don\'t share it', name)
        write_stacks_on_signal(self._report, as_json=options.log_fmt == JSON_FORMAT)

        def reopen() -> None:
            reopen_access_log(access_log)
            reopen_log_files()

        with handled(signal.SIGUSR1, reopen):
            self.server.run()

    def _report(self) -> None:
        if self.server is not None:
            logger.warning(
                "Process %d: %d connections, %d application calls",
                os.getpid(),
                self.server.connections,
                self.server.running_applications,
            )

    def server_arguments(self, options: argparse.Namespace) -> dict[str, Any]:
        """Makes keywords of `server_class` out of the parsed flags, but for addresses and logs."""
        arguments = {name: getattr(options, name) for name in self.parser.server_options}
        if options.proxy_headers:
            arguments["proxy_forwarded_address_header"] = (
                options.proxy_headers_host or "X-Forwarded-For"
            )
            arguments["proxy_forwarded_port_header"] = (
                options.proxy_headers_port or "X-Forwarded-Port"
            )
            arguments["proxy_forwarded_proto_header"] = "X-Forwarded-Proto"
        return arguments

    def _limit_exit(self) -> None:
        """Bounds what is left of the process: exit handlers, and threads that don't end."""
        if self.server is None:
            return
        deadline = self.server.stop_deadline
        if math.isinf(deadline):  # nobody asked it to stop
            end_process_in(_EXIT_SECONDS)
        else:
            end_process_in(max(deadline + END_SECONDS - time.monotonic(), _LEAST_EXIT_SECONDS))
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _set_up_logging(options: argparse.Namespace) -> None:
    set_up_logging(options.verbosity, options.log_fmt, options.log_config)


def _tune_interpreter() -> None:
    """Has it collect garbage less often and switch threads sooner.

    The application, loaded later, may set either itself. What is loaded so far has left no
    garbage: no collection needs to look at it again.
    """
    if sys.getswitchinterval() == _PYTHONS_SWITCH_SECONDS:
        sys.setswitchinterval(_SWITCH_SECONDS)
    gc.freeze()
    young, *older = gc.get_threshold()
    if 0 < young < _YOUNG_OBJECTS:  # 0 is off
        gc.set_threshold(_YOUNG_OBJECTS, *older)


def _fill_standard_descriptors() -> None:
    # libuv aborts when it closes a descriptor up to 2, which it would get had the shell closed one.
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _fail(message: str, status: int) -> NoReturn:
    # Not through logging: the application's own configuration may have silenced our loggers.
    print(f"cppasgi: {message}", file=sys.stderr)
    sys.exit(status)
