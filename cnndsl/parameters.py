"""A model's parameters by name, as its callers see them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cnndsl.errors import UnknownWeight

FloatArray = NDArray[np.float32]

_MOST_SHOWN = 4


class Weights(Mapping[str, FloatArray]):
    """
    Each row's parameters by their full names, such as `C1.weight`: a mapping that is only read.

    A name that it lacks raises `UnknownWeight`, a `KeyError` that says which ones are near.

    >>> weights = Weights({"C1.weight": np.zeros((6, 1, 5, 5), np.float32)})
    >>> weights
    <1 weight: C1.weight [6, 1, 5, 5]>
    >>> "C1.bias" in weights, weights.get("C1.bias")
    (False, None)
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: Mapping[str, FloatArray]) -> None:
        self._arrays = arrays

    def __getitem__(self, name: str) -> FloatArray:
        found = self._arrays.get(name)
        if found is None:
            raise _unknown(name, tuple(self._arrays))
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._arrays  # the message of an unknown name takes a while to be found

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        shown = [f"{name} {list(x.shape)}" for name, x in islice(self.items(), _MOST_SHOWN)]
        more = ["..."] if len(self) > _MOST_SHOWN else []
        noun = "weight" if len(self) == 1 else "weights"
        return f"<{len(self)} {noun}: {', '.join([*shown, *more])}>" if shown else "<no weights>"


def _unknown(name: object, names: tuple[str, ...]) -> UnknownWeight:
    # Imported here: a name that is right does not need it.
    from difflib import get_close_matches

    if not names:
        return UnknownWeight(f"the model has no weight {name!r}: its rows have none")
    text = str(name)
    of_row = [known for known in names if known.startswith(f"{text}.")]
    near = of_row or get_close_matches(text, names, 2)
    return UnknownWeight(
        f"the model has no weight {name!r}",
        fixes=[f"did you mean {known}?" for known in near[:_MOST_SHOWN]]
        or [f"one of its {len(names)}, such as {names[0]}: list(model.weights) has all"],
    )
