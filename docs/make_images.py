"""
Draw the README's picture: a table, and what `cnndsl check` says of it on a terminal.

    .venv/bin/python docs/make_images.py
"""

import re
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

import cnndsl
from cnndsl.cli.findings import as_text, styled

ROOT = Path(__file__).parent.parent
SPEC = "examples/alexnet_224.cnn"


def main() -> None:
    """Write `docs/images/check.svg`."""
    console = Console(record=True, width=122, file=StringIO(), highlight=False)
    text = (ROOT / SPEC).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    console.print(Text(f"$ head {SPEC}", "bold"))
    console.print(Text("\n".join(lines[:9])))
    console.print(Text(f"...\n\n$ cnndsl check {SPEC}", "bold"))
    try:
        cnndsl.parse(ROOT / SPEC)
    except cnndsl.CnnError as error:
        for diagnostic in error.diagnostics:
            shown = as_text(diagnostic).replace(f"{ROOT}/", "")
            console.print(styled(diagnostic, shown), soft_wrap=True)
    svg = console.export_svg(title="cnndsl", unique_id="cnndsl")
    # The picture fetches nothing: a viewer without the font falls back to its own.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    (ROOT / "docs" / "images" / "check.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
