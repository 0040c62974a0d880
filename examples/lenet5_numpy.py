"""
LeNet-5 of table 14-1 in float64 NumPy: a second opinion on `specs/weights/lenet5.safetensors`.

It shares no code with PyTorch, nor with cnndsl, so what it says of the file is true of the file:

    python examples/lenet5_numpy.py
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors.numpy import load_file

HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "specs" / "weights" / "lenet5.safetensors"
HELD_OUT = HERE / "heldout_digits.npz"

Array = NDArray[np.float64]


def prepare(images: NDArray[np.uint8]) -> Array:
    """Turn uint8[n, 28, 28] into the input row, f64[n, 32, 32, 1]: bytes to 0..1, a border of 2."""
    return np.pad(images / 255.0, ((0, 0), (2, 2), (2, 2)))[..., None]


def convolve(x: Array, weight: Array, bias: Array) -> Array:
    """Cross-correlate x[n, h, w, i] with weight[o, i, kh, kw], valid, stride 1."""
    windows = sliding_window_view(x, weight.shape[2:], (1, 2))
    return np.tensordot(windows, weight, ((3, 4, 5), (1, 2, 3))) + bias


def average(x: Array) -> Array:
    """Average over windows of 2x2, stride 2."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def distances(x: Array, weights: dict[str, Array]) -> Array:
    """The Euclidean distance of each image to each class, f64[n, 10]; the smallest one wins."""
    c1 = np.tanh(convolve(x, weights["C1.weight"], weights["C1.bias"]))
    s2 = np.tanh(average(c1))
    c3 = np.tanh(convolve(s2, weights["C3.weight"], weights["C3.bias"]))
    s4 = np.tanh(average(c3))
    c5 = np.tanh(convolve(s4, weights["C5.weight"], weights["C5.bias"]))
    f6 = np.tanh(c5.reshape(len(c5), -1) @ weights["F6.weight"].T + weights["F6.bias"])
    return np.linalg.norm(f6[:, None, :] - weights["Out.weight"], axis=2)


def accuracy(path: Path, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
    """The share of the images that the weights in `path` put into the right class."""
    weights = {name: value.astype(np.float64) for name, value in load_file(path).items()}
    right = 0
    for start in range(0, len(images), 250):
        part = slice(start, start + 250)
        nearest = distances(prepare(images[part]), weights).argmin(1)
        right += int((nearest == labels[part]).sum())
    return right / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description="Held-out accuracy of LeNet-5, in float64.")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--digits", type=Path, default=HELD_OUT, help="an .npz of images, labels")
    args = parser.parse_args()
    with np.load(args.digits) as digits:
        images, labels = digits["images"], digits["labels"]
    share = accuracy(args.weights, images, labels)
    print(f"{share:.2%} of {len(labels)} held-out digits, float64 NumPy, {args.weights.name}")


if __name__ == "__main__":
    main()
