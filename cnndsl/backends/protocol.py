"""What a target must offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # a model that is found compiled runs without any of it
    from cnndsl.ir.network import Network
    from cnndsl.ir.node import Node
    from cnndsl.passes.base import Pass
    from cnndsl.plan.plan import Plan
    from cnndsl.plan.strategy import Choice
    from cnndsl.types import TensorType

Images = NDArray[np.float32]
Weights = Mapping[str, NDArray[np.float32]]
"""Every parameter of a network by its full name, in its canonical shape, read-only."""


class Executable(Protocol):
    """A network that is ready to run."""

    def __call__(self, inputs: tuple[Images, ...]) -> tuple[NDArray[Any], ...]:
        """
        The network's outputs for a batch, both in the network's order.

        Each of `inputs` is contiguous float32 `[n, ...]`, n at least 1 and the same for all, in
        its row's layout; outputs that are images are in the first input's. May be called from
        several threads at once.
        """
        ...


@runtime_checkable
class DeviceExecutable(Protocol):
    """A network that can also read and write arrays where they lie on a device."""

    def on_device(
        self, inputs: Sequence[Any], outputs: Sequence[Any], stream: Any
    ) -> tuple[Any, ...]:
        """
        Put the network into a stream, and return its outputs before they are computed.

        Arrays say where they lie by `__cuda_array_interface__` or DLPack. `outputs` are written to;
        without any they are new. Raises `InputError` for arrays that do not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What a target is asked to make executable. `threads` is the most that it may use."""

    plan: Plan
    weights: Weights
    threads: int


@runtime_checkable
class Backend(Protocol):
    """A target that runs plans."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    def passes(self) -> tuple[Pass, ...]:
        """How it wants graphs rewritten, in order."""
        ...

    def fingerprint(self) -> bytes:
        """What its choices depend on besides the network: its code, the machine, its options."""
        ...

    def choose(self, node: Node, operands: tuple[TensorType, ...]) -> Choice:
        """How to run a node. Raises `TargetError` for an operator without a kernel."""
        ...

    def load(self, request: Request) -> Executable:
        """Make a plan executable."""
        ...

    def emit(self, plan: Plan, stage: str) -> str:
        """A stage below the plan as text, such as `python`. Raises `TargetError`."""
        ...


@runtime_checkable
class Restoring(Protocol):
    """A target that finds what it once made executable, with the weights as it wants them."""

    def restore(
        self, key: bytes, weights: Weights, threads: int, request: Callable[[], Request]
    ) -> tuple[Executable, Any] | None:
        """
        What a `Keepable` kept under `key`, and its note; None where there is nothing.

        `weights` are those that it was made with. `request` says what to make of them where more is
        wanted than was kept.
        """
        ...


@runtime_checkable
class Expecting(Protocol):
    """A target that makes code, and gets ready for it while others make the plan."""

    def expecting(self) -> AbstractContextManager[None]:
        """Get ready for a plan that is about to be made and loaded."""
        ...


@runtime_checkable
class Keepable(Protocol):
    """An executable that can be kept, for other processes to restore."""

    def keep(self, key: bytes, weights: Weights, note: Any) -> None:
        """Keep it, and a note that JSON can hold, under the digest of all that it was made from."""
        ...


class Interpreter(Protocol):
    """A target that evaluates a network as it stands, without a plan."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    def interpret(self, network: Network, weights: Weights) -> Executable:
        """Make a network executable."""
        ...


def expecting(backend: object) -> AbstractContextManager[None]:
    """Let a target get ready for a plan, if it is one that does."""
    if isinstance(backend, Expecting):
        return backend.expecting()
    return nullcontext()
