"""
Measure, in a process of its own, by which algorithm each convolution is fastest.

Compiled code is never freed and measuring takes memory: a process that ends gives both back, and a
kernel that fails takes nobody with it. What it is to measure comes as a line of JSON on standard
input, a name of a convolution; what it found goes out as a line of JSON each. How many images a
call has is its argument.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cnndsl.backends.cpu.helpers import shared_helpers
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.lowering.candidates import ConvWork, allowed
from cnndsl.backends.cpu.measuring import measure
from cnndsl.backends.cpu.roof import measure_roof
from cnndsl.backends.cpu.times import Seconds, Times, keep_times, kept_times, key_of_work
from cnndsl.backends.profiling import Roof
from cnndsl.errors import TargetError

COMMAND = ("-m", "cnndsl.backends.cpu.tuning")
"""What the other process runs."""


def with_a_choice(works: Iterable[ConvWork]) -> list[ConvWork]:
    """Those that more than one algorithm may compute, each once."""
    each = {work.name: work for work in works}
    return [work for work in each.values() if len(allowed(work, "fast")) > 1]


def tune(works: Sequence[ConvWork], batch: int, advance: Callable[[int], None]) -> None:
    """
    Measure convolutions of `batch` images and keep what was found for all networks.

    `advance` is told of each that is done. Raises `TargetError` where the process fails.
    """
    found: dict[str, Seconds] = {}
    roof: Roof | None = None
    for line in _lines([work.name for work in works], batch):
        if "roof" in line:
            roof = Roof(*line["roof"])
        else:
            found[key_of_work(line["work"], batch)] = line["seconds"]
            advance(1)
    # Read again: another process may have tuned meanwhile.
    keep_times(kept_times().with_more(Times(found, roof)))


def _lines(names: Sequence[str], batch: int) -> Iterator[dict[str, Any]]:
    """What the other process finds, as it comes."""
    pipe = subprocess.PIPE
    command = [sys.executable, *COMMAND, str(batch)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write("".join(f"{json.dumps(name)}\n" for name in names))
        process.stdin.close()
        for line in process.stdout:
            yield json.loads(line)
        said = process.stderr.read().strip().splitlines()
    if process.returncode:
        reason = said[-1] if said else f"exit status {process.returncode}"
        raise TargetError(f"the process that measures kernels has failed: {reason}", code="E702")


def _main(batch: int) -> None:
    library, helpers = shared_library(), shared_helpers()
    roof = measure_roof(1, library, helpers)
    print(json.dumps({"roof": [roof.gflops, roof.gigabytes]}), flush=True)
    for line in sys.stdin:
        name = json.loads(line)
        seconds = measure(ConvWork.parse(name), batch, library, helpers)
        print(json.dumps({"work": name, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
