"""The command `cnndsl`: one verb, one page of help, and how its process ends."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Generator, Sequence

from cnndsl.cli.misuse import Misuse
from cnndsl.cli.terminal import Terminal
from cnndsl.errors import CnnError, FileError

FINE, FINDINGS, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 70, 130, 141
"""How the process ends. The last two are what a shell reports of a process that a signal ends."""


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line and return the exit status.

    0 is fine, 1 means findings, 2 a mistake in the command itself. No error of the user ends in a
    traceback.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    terminal = Terminal.standard()
    debug = "--debug" in arguments
    try:
        with _warnings_as_notes(terminal):
            status = _run(arguments, terminal)
            terminal.out.flush()
    except SystemExit as leave:
        return int(leave.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except CnnError as error:
        terminal.report(error.diagnostics)
        return USAGE if isinstance(error, Misuse) else FINDINGS
    except BrokenPipeError:
        _forget_output()  # whoever read has read enough
        return BROKEN_PIPE
    except OSError as error:
        _forget_output()
        terminal.report(_unusable(error).diagnostics)
        return FINDINGS
    except MemoryError:
        terminal.note("cnndsl: there is not enough memory for this")
        return FINDINGS
    except Exception as error:
        if debug:
            terminal.note(traceback.format_exc())
        terminal.note(
            f"cnndsl: a mistake in cnndsl itself, please report it with the command and the file: "
            f"{type(error).__name__}: {error}" + ("" if debug else " (--debug shows where)")
        )
        return INTERNAL
    return status


def _run(arguments: Sequence[str], terminal: Terminal) -> int:
    # Imported here: an interruption while verbs are imported is told like any other.
    from cnndsl.cli.command_line import read_command

    command = read_command(arguments)
    if command is None:
        return USAGE
    verb, args = command
    try:
        return verb.run(args, terminal)
    except Misuse:
        raise
    except CnnError as error:
        terminal.report(error.diagnostics, args.format)
        return FINDINGS


def _unusable(error: OSError) -> FileError:
    """What is said of a file that no verb knew about, or of the process's own output."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return FileError(f"cannot write to standard output: {reason}")
    return FileError(f"cannot use {os.fsdecode(error.filename)}: {reason}")


def _forget_output() -> None:
    """Let what is still buffered for standard output not raise again at exit."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # it may be no file at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _warnings_as_notes(terminal: Terminal) -> Generator[None]:
    """Let warnings be told in a line of plain words, without the place in our code."""

    def show(message: Warning | str, *_: object) -> None:
        terminal.note(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
