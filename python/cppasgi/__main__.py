"""``python -m cppasgi`` is the ``cppasgi`` command."""

from cppasgi.command.cli import CommandLineInterface

if __name__ == "__main__":
    CommandLineInterface.entrypoint()
