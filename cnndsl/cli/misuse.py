"""Mistakes in the command itself that only the verb can see."""

from cnndsl.errors import CnnError


class Misuse(CnnError):
    """Arguments that do not go together: the exit status is that of a usage error."""
