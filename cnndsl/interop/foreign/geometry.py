"""Whether a row slides its window as the file's own layer does, where the file says that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cnndsl.errors import Diagnostic
from cnndsl.interop.foreign.layers import Layer
from cnndsl.interop.foreign.units import Unit
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.padding import Padding, PaddingKind


def differences(pairs: Iterable[tuple[Unit, Layer]]) -> Iterator[Diagnostic]:
    """
    A finding for each row with which the weights would compute something else.

    Weights say nothing of strides and padding: those of another network can have the same shapes.
    """
    for unit, layer in pairs:
        op = unit.op
        if not isinstance(op, Conv | Depthwise | ConvTranspose) or layer.stride is None:
            continue
        message = ""
        if layer.stride != op.stride:
            message = (
                f"its stride is {_x(op.stride)}, and that of {layer.name} is {_x(layer.stride)}"
            )
        elif layer.same and not isinstance(op, ConvTranspose) and unit.image is not None:
            same = replace(op.window, padding=Padding("same_upper"))
            if same.sides(unit.image) != op.window.sides(unit.image):
                ours = PaddingKind().format(op.padding)
                message = f"its padding is {ours}, and that of {layer.name} is same_upper"
        if message:
            yield Diagnostic("E401", message, row=unit.name)


def _x(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"
