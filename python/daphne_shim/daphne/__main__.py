"""``python -m daphne`` is the ``daphne`` command."""

from daphne.cli import CommandLineInterface

if __name__ == "__main__":
    CommandLineInterface.entrypoint()
