"""
What NVIDIA's compilers make of the kernels of the target cuda, for the table of docs/cuda.md.

    python -m benchmarks.cuda_kernels
    python -m benchmarks.cuda_kernels --write

Needs `pip install 'cnndsl[cuda]'` and no GPU. All tiles are in it, and whatever else a few networks
launch for one image. --write writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.command import parser_of
from cnndsl.api import parse
from cnndsl.backends.cuda.availability import multiplies
from cnndsl.backends.cuda.emit import resources, step_launches
from cnndsl.backends.cuda.gpu import ARCHITECTURES, Architecture, assumed_gpu
from cnndsl.backends.cuda.gpu import architecture_name as name_of
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.link import MachineCode
from cnndsl.backends.cuda.tiles import tile_kernel, tiles
from cnndsl.compiler import Compilation
from cnndsl.types import PRECISIONS

NETWORKS = ("lenet5", "alexnet", "resnet50", "mobilenet_v2")
PAGE = Path(__file__).parents[1] / "docs" / "cuda.md"
BEGIN, END = "<!-- begin kernels -->", "<!-- end kernels -->"

Rows = dict[str, dict[Architecture, Kernel]]
"""The kernels of a line of the table."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table, and write it where that is asked."""
    parser = parser_of("cuda_kernels", __doc__)
    parser.add_argument("--write", action="store_true", help="write the table into docs/cuda.md")
    args = parser.parse_args(argv)
    lines: list[str] = []
    for line in table({**tile_rows(), **network_rows()}):
        print(line, flush=True)
        lines.append(line)
    if args.write:
        text = PAGE.read_text("utf-8")
        before, behind = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text("\n".join([f"{before}{BEGIN}", *lines, f"{END}{behind}"]), "utf-8")


def tile_rows() -> Rows:
    """All tiles, reading quads, with the most common activation."""
    rows: Rows = {}
    for precision in PRECISIONS:
        for architecture in reversed(ARCHITECTURES):  # the newest has all of them
            if not multiplies(architecture, precision):
                continue
            for tile in tiles(assumed_gpu(architecture), precision, 4):
                label = f"tile {tile.rows} x {tile.columns} x {tile.depth}, {precision}"
                rows.setdefault(label, {})[architecture] = tile_kernel(tile, "relu")
    return rows


def network_rows() -> Rows:
    """What else the networks launch for one image: the same kernels on each architecture."""
    steps = [step for spec in NETWORKS for step in Compilation(parse(spec), "cuda").plan.steps]
    kernels = {launch.kernel for step in steps for launch in step_launches(step, 1)}
    others = sorted(kernel.name for kernel in kernels if kernel.module != "conv_tile")
    named = {kernel.name: kernel for kernel in kernels}
    return {f"`{name}`": dict.fromkeys(ARCHITECTURES, named[name]) for name in others}


def table(rows: Rows) -> Iterator[str]:
    """A line a kernel: for each architecture registers and shared memory, and what is spilled."""
    yield "| " + " | ".join(["kernel", *map(name_of, ARCHITECTURES)]) + " |"
    yield "|---" * (1 + len(ARCHITECTURES)) + "|"
    for label, kernels in rows.items():
        cells = [
            cell(resources(kernels[architecture], architecture), kernels[architecture])
            if architecture in kernels
            else "-"
            for architecture in ARCHITECTURES
        ]
        yield "| " + " | ".join([label, *cells]) + " |"


def cell(code: MachineCode, kernel: Kernel) -> str:
    """
    Registers, shared memory, and what is spilled if anything is.

    >>> cell(MachineCode(b"", 32, 0, 0, 2048), Kernel("gather", "runs", (), 1024))
    '32, 3 KiB'
    >>> cell(MachineCode(b"", 255, 16, 8, 0), Kernel("gather", "runs"))
    '255, 16 bytes spilled'
    """
    shared = code.shared_bytes + kernel.shared_bytes
    words = [str(code.registers)]
    words += [f"{shared / 1024:.3g} KiB"] if shared else []
    words += [f"{code.spilled_bytes} bytes spilled"] if code.spilled_bytes else []
    return ", ".join(words)


if __name__ == "__main__":
    main()
