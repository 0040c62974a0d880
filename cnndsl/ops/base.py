"""What an operator must say about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import ShapeError
from cnndsl.ops.connections import Connections, connection_mask, count_links
from cnndsl.types import TensorType

Array = NDArray[np.float64]
Init = Literal["he", "zeros", "ones", "quarter", "signs"]
Best = Literal["max", "min"]


@dataclass(frozen=True, slots=True)
class Param:
    """
    One tensor of numbers that an operator needs.

    `init` is how a seed fills it: `he` draws from a normal distribution of variance 2 / `fan_in`
    (He et al. 2015, arXiv:1502.01852), `signs` draws -1 or +1. Where `connections` are given, entry
    `[o, c, ...]` is fixed to zero unless output map o reads input map c.
    """

    name: str
    shape: tuple[int, ...]
    init: Init
    fan_in: int = 1
    trainable: bool = True
    connections: Connections = ()

    @property
    def count(self) -> int:
        """Free numbers in the tensor: the shape's product, less the entries fixed to zero."""
        if not self.connections:
            return prod(self.shape)
        return count_links(self.connections) * prod(self.shape[2:])

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Of the tensor's shape, true where an entry is free; None where all are."""
        return connection_mask(self.connections, self.shape) if self.connections else None


class Op(ABC):
    """
    One operator with its attributes. Knows types and arrays; no graph, no backend.

    A subclass is a frozen dataclass whose attributes are declared with `attributes.attribute`.
    Arrays have a leading batch axis: images `[n, h, w, c]`, vectors `[n, f]`, all float64.
    The methods below take one type or array for each operand; a subclass names them.
    An operator raises `ShapeError` or `ConventionError` without a place; the graph adds it.
    """

    row_type: ClassVar[str]
    summary: ClassVar[str]
    operands: ClassVar[int] = 1
    """How many tensors it reads; where it is `variadic`, the fewest."""
    variadic: ClassVar[bool] = False
    """Whether it reads any number of tensors from `operands` on."""
    reads: ClassVar[Literal["image", "vector", "any"]] = "image"
    """What kind of tensor it reads; where it reads a vector, an image before it is flattened."""
    best: ClassVar[Best] = "max"
    """Which of its outputs wins where it classifies: an RBF's smallest distance does."""
    moves: ClassVar[bool] = False
    """Whether its result's cells are its operands', in other places: it computes nothing."""

    @classmethod
    def takes(cls, count: int) -> bool:
        """Whether it reads that many tensors."""
        return count >= cls.operands if cls.variadic else count == cls.operands

    @classmethod
    def operand_words(cls) -> str:
        """How many rows it reads, for a message: `1 row`, `2 or more rows`."""
        more = " or more" if cls.variadic else ""
        return f"{cls.operands}{more} row{'s' * (cls.variadic or cls.operands != 1)}"

    @abstractmethod
    def infer(self, *operands: Any, **_: Any) -> TensorType:
        """The type of the result. Raises `ShapeError`."""

    @abstractmethod
    def evaluate(self, *operands: Any, **params: Any) -> Array:
        """The result in float64, by the definition."""

    @abstractmethod
    def formula(self, *operands: Any, **_: Any) -> str:
        """The exact formula with this operator's numbers in it, for people to read."""

    def params(self, *operands: Any, **_: Any) -> tuple[Param, ...]:
        """The tensors that it needs, in the order in which they are saved."""
        return ()

    def macs(self, *operands: Any, **_: Any) -> int:
        """
        Multiply-accumulates for one image: the products that weights take part in.

        A normalization's or a slope's, one a cell, are not counted, as papers do not count them.
        """
        return 0

    def conventions(self, *operands: Any, **_: Any) -> tuple[str, ...]:
        """What was decided where frameworks differ, with its numbers here: a line each."""
        return ()

    def arithmetic(self, *operands: Any, **_: Any) -> str:
        """The result's size as a sum to check by hand, or nothing where no sum makes it."""
        return ""

    def passes_on(self, *operands: Any, **_: Any) -> bool:
        """Whether the result, at inference, is its only operand as it stands."""
        return False

    @property
    def in_place(self) -> bool:
        """Whether its result, where it is as large, can take its first operand's memory."""
        return False

    def operand_size(self, *operands: Any, **_: Any) -> int:
        """
        Elements of its operands for one image, with the padding that it reads around them.

        The memory limit counts them, so an operator that needs more on its way says so here.
        """
        return sum(operand.size for operand in operands)

    def require_image(self, x: TensorType) -> None:
        """Raise `ShapeError` unless `x` is an image."""
        if not x.is_image:
            raise ShapeError(
                f"{self.row_type} reads an image, and {x.describe()} is a vector",
                fixes=[f"a row above the vector, or a reshape row before it with to=1x1x{x.size}"],
            )

    def require_vector(self, x: TensorType) -> None:
        """Raise `ShapeError` unless `x` is a vector."""
        if x.is_image:
            raise ShapeError(
                f"{self.row_type} reads a vector, and {x.describe()} is an image",
                fixes=["a flatten row before it"],
            )
