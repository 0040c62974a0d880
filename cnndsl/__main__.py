"""`python -m cnndsl`, and what the command `cnndsl` calls."""

from __future__ import annotations

_INTERRUPTED = 130


def main() -> int:
    """Run the command line. An interruption while it is still being loaded is quiet as well."""
    try:
        from cnndsl.cli.main import main as command_line

        return command_line()
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    raise SystemExit(main())
