"""
What the main loops of the target cuda's tiles are made of, as NVIDIA's disassembler shows them.

    python -m benchmarks.cuda_loops
    python -m benchmarks.cuda_loops --precisions tf32 --architecture 80 --all

Needs `pip install 'cnndsl[cuda]' nvidia-cuda-nvdisasm`, or a toolkit's nvdisasm on the path, and no
GPU. A line has the instructions of a warp for one slice, and how many of them multiply: a scheduler
starts one a cycle, so what does not multiply is time where the loop is bound by them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.command import parser_of
from cnndsl.backends.cuda.availability import multiplies
from cnndsl.backends.cuda.emit import resources
from cnndsl.backends.cuda.gpu import Architecture, assumed_gpu
from cnndsl.backends.cuda.tiles import tile_kernel, tiles
from cnndsl.types import PRECISIONS

MULTIPLIES = ("FFMA", "HMMA")
_LABEL = re.compile(r"^(\.L_\w+):")
_INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+\s+)?([^;]+);")
_JUMP = re.compile(r"^BRA\b.*`\((\.L_\w+)\)")


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line a tile. 0 is fine, 2 that there is no disassembler."""
    parser = parser_of("cuda_loops", __doc__)
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help=",".join(PRECISIONS))
    parser.add_argument("--architecture", default="90", help="75, 80 or 90 (default: 90)")
    parser.add_argument("--all", action="store_true", help="all tiles, not the two largest")
    args = parser.parse_args(argv)
    tool = disassembler()
    if tool is None:
        print("nvdisasm is missing: pip install nvidia-cuda-nvdisasm", file=sys.stderr)
        return 2
    architecture = int(args.architecture[:-1]), int(args.architecture[-1])
    for precision in args.precisions.split(","):
        if multiplies(architecture, precision):
            for line in lines(precision, architecture, None if args.all else 2, tool):
                print(line, flush=True)
    return 0


def disassembler() -> str | None:
    """NVIDIA's, of a toolkit or of its package."""
    found = shutil.which("nvdisasm")
    packaged = (Path(p) / "nvidia" for p in sys.path)
    return found or next((str(f) for p in packaged for f in p.glob("*/bin/nvdisasm")), None)


def lines(precision: str, architecture: Architecture, most: int | None, tool: str) -> Iterator[str]:
    """A line for each of the first tiles of a precision."""
    for tile in tiles(assumed_gpu(architecture), precision, 4)[:most]:
        code = resources(tile_kernel(tile, "relu"), architecture)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "kernel.cubin"
            path.write_bytes(code.cubin)
            done = subprocess.run([tool, "-c", path], text=True, capture_output=True, check=True)
        kinds = main_loop(done.stdout)
        count, products = sum(kinds.values()), sum(kinds[kind] for kind in MULTIPLIES)
        most_common = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(8))
        yield (
            f"{precision} {tile.rows} x {tile.columns} x {tile.depth}: {products} of {count} "
            f"multiply ({products / count:.0%}): {most_common}"
        )


def main_loop(text: str) -> Counter[str]:
    """
    The kinds of the instructions in the shortest loop that multiplies.

    >>> text = '''
    ... .L_x_0:
    ...         /*0010*/   @!P0 FFMA R1, R2, R3, R1 ;
    ...         /*0020*/   @P1 BRA `(.L_x_0) ;
    ...         /*0030*/   EXIT ;
    ... '''
    >>> main_loop(text)
    Counter({'FFMA': 1, 'BRA': 1})
    """
    labels: dict[str, int] = {}
    kinds: list[str] = []
    loops: list[list[str]] = []
    for line in text.splitlines():
        if label := _LABEL.match(line):
            labels[label[1]] = len(kinds)
        if instruction := _INSTRUCTION.match(line):
            kinds.append(re.split(r"[ .]", instruction[1])[0])
            jump = _JUMP.match(instruction[1])
            if jump and jump[1] in labels:
                loops.append(kinds[labels[jump[1]] :])
    multiplying = [loop for loop in loops if not set(MULTIPLIES).isdisjoint(loop)]
    return Counter(min(multiplying, key=len, default=[]))


if __name__ == "__main__":
    sys.exit(main())
