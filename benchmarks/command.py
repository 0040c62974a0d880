"""What the benchmarks that are commands have in common."""

from __future__ import annotations

import argparse


def parser_of(name: str, doc: str | None) -> argparse.ArgumentParser:
    """
    A parser for `python -m benchmarks.<name>` without options yet.

    Its help is the module's docstring: the first paragraph, and behind the options the others,
    which begin with examples.
    """
    introduction, _, rest = (doc or "").strip().partition("\n\n")
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=introduction,
        epilog=f"examples:\n{rest}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
