"""
Train the Keras Sequential network of the book (1,413,834 parameters) on Fashion-MNIST.

    apt-get install dataset-fashion-mnist
    python examples/train_fashion_mnist.py --output fashion_mnist.safetensors

The file is 5.7 MB in float32 and 2.8 MB in float16, too large to ship; this command is the way to
it. An epoch is about eight minutes of one core. The three epochs of the default reached 89.56% of
the test pictures; the book reports "over 92%", which more epochs may bring.

Rows are named as in `specs/fashion_mnist.cnn`. PyTorch trains here; nothing else of the project
needs it.
"""

import argparse
import shlex
import sys
import time
from collections import OrderedDict
from pathlib import Path

import torch
from fashion_mnist_data import DEBIAN, Clothes, read
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional


def book_network() -> nn.Sequential:
    """The network row by row, with logits for its output: softmax is part of the loss here."""
    rows = OrderedDict[str, nn.Module](
        C1=nn.Conv2d(1, 64, 7, padding="same"),
        C1_activation=nn.ReLU(),
        S2=nn.MaxPool2d(2),
        C3=nn.Conv2d(64, 128, 3, padding="same"),
        C3_activation=nn.ReLU(),
        C4=nn.Conv2d(128, 128, 3, padding="same"),
        C4_activation=nn.ReLU(),
        S5=nn.MaxPool2d(2),
        C6=nn.Conv2d(128, 256, 3, padding="same"),
        C6_activation=nn.ReLU(),
        C7=nn.Conv2d(256, 256, 3, padding="same"),
        C7_activation=nn.ReLU(),
        S8=nn.MaxPool2d(2),
        flat=nn.Flatten(),
        F9=nn.Linear(3 * 3 * 256, 128),
        F9_activation=nn.ReLU(),
        F9_dropout=nn.Dropout(0.5),
        F10=nn.Linear(128, 64),
        F10_activation=nn.ReLU(),
        F10_dropout=nn.Dropout(0.5),
        Out=nn.Linear(64, 10),
    )
    for row in rows.values():
        if isinstance(row, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(row.weight, nonlinearity="relu")
            nn.init.zeros_(row.bias)
    return nn.Sequential(rows)


def to_input(images: Tensor) -> Tensor:
    """The input row: uint8[n, 28, 28] to f32[n, 1, 28, 28] between 0 and 1."""
    return images[:, None].float() / 255


def mirror_some(x: Tensor) -> Tensor:
    """Mirror half of the pictures left to right: clothes are as good that way round."""
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x, x.flip(3))


def train(clothes: Clothes, epochs: int, seed: int, batch: int, rate: float) -> nn.Sequential:
    """Train with Adam and one cycle of the learning rate, up to `rate` and down to nothing."""
    torch.manual_seed(seed)
    model = book_network().to(memory_format=torch.channels_last)
    images, labels = torch.tensor(clothes.images), torch.tensor(clothes.labels).long()
    batches = len(images) // batch
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches)
    began = time.monotonic()
    for epoch in range(epochs):
        total = 0.0
        for step, chosen in enumerate(torch.randperm(len(images)).split(batch)[:batches], 1):
            x = mirror_some(to_input(images[chosen]))
            loss = functional.cross_entropy(model(x), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
            if step % 50 == 0 or step == batches:
                seconds = time.monotonic() - began
                print(
                    f"epoch {epoch + 1} of {epochs}, batch {step} of {batches}: "
                    f"mean loss {total / step:.4f}, {seconds:.0f} s",
                    flush=True,
                )
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Sequential, clothes: Clothes) -> float:
    """The share of the pictures that get their own class."""
    images, labels = torch.tensor(clothes.images), torch.tensor(clothes.labels).long()
    parts = zip(images.split(250), labels.split(250), strict=True)
    right = sum((model(to_input(x)).argmax(1) == y).sum().item() for x, y in parts)
    return right / len(labels)


def deployed(model: nn.Sequential, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors under their row names, F9's columns reordered from (c, h, w) to (h, w, c)."""
    tensors = {name: value.detach() for name, value in model.state_dict().items()}
    by_map = tensors["F9.weight"].reshape(128, 256, 3, 3)
    tensors["F9.weight"] = by_map.permute(0, 2, 3, 1).reshape(128, -1)
    return {name: value.contiguous().to(dtype) for name, value in tensors.items()}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the book's network on Fashion-MNIST.")
    parser.add_argument("--data", type=Path, default=DEBIAN, help="folder of the four IDX files")
    parser.add_argument("--output", type=Path, default=Path("fashion_mnist.safetensors"))
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--half", action="store_true", help="write float16 in place of float32")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    model = train(read(args.data, "train"), args.epochs, args.seed, args.batch, args.rate)
    share = accuracy(model, read(args.data, "t10k"))
    metadata = {
        "network": "the book's Keras Sequential network for Fashion-MNIST",
        "test_accuracy": f"{share:.4f}",
        "data": "Fashion-MNIST (Zalando, MIT licence) from Debian's dataset-fashion-mnist",
        "input": "f32[28,28,1], bytes divided by 255 (range 0..1)",
        "flatten": "hwc",
        "seed": str(args.seed),
        "command": shlex.join(["python", *sys.argv]),
        "torch": torch.__version__,
    }
    dtype = torch.float16 if args.half else torch.float32
    save_file(deployed(model, dtype), args.output, metadata)
    print(f"{share:.2%} of 10,000 test pictures; wrote {args.output}")


if __name__ == "__main__":
    main()
