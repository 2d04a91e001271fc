"""Not here: Daphne's module of this name is made of Twisted objects."""

raise ImportError(
    "daphne.http_protocol has Twisted's protocol classes, which cppasgi-daphne doesn't have; "
    "install Daphne itself where they are needed"
)
