"""
Write the first two Fashion-MNIST test pictures of each class as `fashion/ankle_boot_a.png` ...

    apt-get install dataset-fashion-mnist
    python examples/make_fashion.py
"""

import argparse
from pathlib import Path

from fashion_mnist_data import DEBIAN, read
from PIL import Image

HERE = Path(__file__).parent
LABELS = HERE.parent / "specs" / "labels" / "fashion_mnist.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write twenty Fashion-MNIST test pictures.")
    parser.add_argument("--data", type=Path, default=DEBIAN, help="folder of the IDX files")
    parser.add_argument("--output", type=Path, default=HERE / "fashion")
    args = parser.parse_args()
    clothes = read(args.data, "t10k")
    args.output.mkdir(parents=True, exist_ok=True)
    for index, label in enumerate(LABELS.read_text(encoding="utf-8").splitlines()):
        name = label.lower().replace(" ", "_").replace("/", "_").replace("-", "_")
        first_two = clothes.images[clothes.labels == index][:2]
        for letter, image in zip("ab", first_two, strict=True):
            Image.fromarray(image).save(args.output / f"{name}_{letter}.png", optimize=True)
    print(f"wrote {args.output}")


if __name__ == "__main__":
    main()
