"""Fashion-MNIST as Debian's package `dataset-fashion-mnist` installs it: gzipped IDX files."""

import gzip
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True, slots=True)
class Clothes:
    """Pictures, uint8[n, 28, 28] with 0 for the background, and their classes, 0..9."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def read_idx(path: Path) -> NDArray[np.uint8]:
    """
    Read one gzipped IDX file of bytes.

    The header is two zeros, the element type (8 for unsigned bytes), the number of dimensions,
    then each dimension as a big-endian 32-bit integer.
    """
    content = gzip.decompress(path.read_bytes())
    zeros, element, rank = struct.unpack_from(">HBB", content)
    shape = struct.unpack_from(f">{rank}I", content, 4)
    start = 4 + 4 * rank
    if zeros != 0 or element != 8 or len(content) != start + prod(shape):
        raise SystemExit(f"{path} is not an IDX file of bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read(folder: Path, part: Literal["train", "t10k"]) -> Clothes:
    """Read the 60,000 pictures to train on (`train`) or the 10,000 to test with (`t10k`)."""
    if not folder.is_dir():
        raise SystemExit(f"{folder} is missing: apt-get install dataset-fashion-mnist")
    return Clothes(
        read_idx(folder / f"{part}-images-idx3-ubyte.gz"),
        read_idx(folder / f"{part}-labels-idx1-ubyte.gz"),
    )
