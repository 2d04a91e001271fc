import no_such_inner_module  # noqa: F401
