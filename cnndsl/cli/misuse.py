"""Mistakes in the command itself."""

from cnndsl.errors import CnnError


class Misuse(CnnError):
    """A command that cannot be understood, or arguments that do not go together: status 2."""

    default_code = "E002"
