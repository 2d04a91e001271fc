"""Finds the application that ``module:attribute`` names."""

from __future__ import annotations

import importlib
import inspect
import logging
import traceback
from typing import Any

logger = logging.getLogger("cppasgi.cli")


class ApplicationLoadError(Exception):
    """The application can't be loaded; the text is one line that says why."""


def load_application(path: str) -> object:
    """Imports ``module:attribute``; the attribute may be dotted.

    The traceback of a module that fails is logged, from its own first frame on.

    Raises:
        ApplicationLoadError: the module or the attribute is missing, the import fails or ends the
            process, or the attribute can't be an ASGI application.
    """
    module_name, colon, attributes = path.partition(":")
    if not (module_name and colon and attributes):
        raise ApplicationLoadError(f'"{path}" is not of the form module:attribute')
    try:
        target: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        _log_traceback(f"Import of {module_name} failed", error)
        raise ApplicationLoadError(_describe_import_failure(module_name, error)) from error
    for name in attributes.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            raise ApplicationLoadError(
                f'Could not load "{path}": {_describe(target)} has no attribute "{name}"'
            ) from None
    if not callable(target):
        raise ApplicationLoadError(
            f'"{path}" is no ASGI application: a {type(target).__name__} is not callable'
        )
    if _takes(target, 2) and not any(_takes(target, count) for count in (0, 1, 3)):
        raise ApplicationLoadError(
            f'"{path}" is no ASGI application: it takes two arguments, as those of WSGI do'
        )
    return target


def is_factory(target: object) -> bool:
    """Whether ``target`` makes applications and is none itself.

    An application takes a scope (ASGI 2) or three arguments. What can be called without any, and
    doesn't take whatever comes, is a factory: a function, or the application's class.
    """
    if not _takes(target, 0):
        return False
    signature = inspect.signature(target)  # type: ignore[arg-type]
    return not any(one.kind is one.VAR_POSITIONAL for one in signature.parameters.values())


def _takes(target: object, count: int) -> bool:
    """Whether it can be called with so many arguments; False too where nobody knows."""
    try:
        inspect.signature(target).bind(*range(count))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def made_by_factory(path: str, factory: Any) -> object:
    """Calls what makes the application.

    The traceback of one that fails is logged, from its own first frame on.

    Raises:
        ApplicationLoadError: it raises, or returns something that can't be called.
    """
    try:
        application: object = factory()
    except (Exception, SystemExit) as error:
        _log_traceback(f"The factory {path} failed", error)
        raise ApplicationLoadError(f'The factory "{path}" failed: {_reason(error)}') from error
    if not callable(application):
        if inspect.iscoroutine(application):
            application.close()
        raise ApplicationLoadError(
            f'The factory "{path}" returned no application: a {type(application).__name__} is not '
            "callable"
        )
    return application


def single_callable(application: Any) -> object:
    """Makes an ASGI 3 application of one that may be ASGI 2, by asgiref's rules."""
    if (
        not (inspect.isclass(application) or hasattr(application, "_asgi_double_callable"))
        and callable(application)
        and any(map(inspect.iscoroutinefunction, (application, application.__call__)))
    ):
        return application  # what the rules say, without a start's time for importing asgiref
    from asgiref.compatibility import guarantee_single_callable

    single: object = guarantee_single_callable(application)  # type: ignore[no-untyped-call]
    return single


def _log_traceback(what: str, error: BaseException) -> None:
    """Logs what the application's own code failed in; nothing if it didn't get that far."""
    own = error.__traceback__
    while own is not None and _is_import(own.tb_frame.f_code.co_filename):
        own = own.tb_next
    if own is not None:
        logger.error("%s", what, exc_info=(type(error), error, own))


def _is_import(filename: str) -> bool:
    return filename in (__file__, importlib.__file__) or filename.startswith("<frozen ")


def _describe(target: object) -> str:
    name = getattr(target, "__name__", None)
    return f'"{name}"' if isinstance(name, str) else f"a {type(target).__name__}"


def _describe_import_failure(module_name: str, error: BaseException) -> str:
    # Only the module itself or a package above it; a missing inner module is another story.
    if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
        return f'Could not import module "{module_name}": {error}'
    return f'Could not import module "{module_name}": {_reason(error)}'


def _reason(error: BaseException) -> str:
    """What the application's own code failed of, and where."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error}"
    reason = " ".join("".join(traceback.format_exception_only(error)).split())
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith("<frozen ")]
    if len(own) > 1:  # The first one is our caller.
        reason = f"{reason} ({own[-1].filename}, line {own[-1].lineno})"
    return reason
