"""What no row can say, and what to do about operators that no row computes."""

from __future__ import annotations

from cnndsl.interop.onnx.reading import Facts


class Unsupported(Exception):
    """
    A node that no row can say, with the reason and what to do.

    `follows` is whether it reads a value of another such node: what helps there helps here.
    """

    def __init__(self, reason: str, fix: str = "", *, follows: bool = False) -> None:
        super().__init__(reason)
        self.fix = fix
        self.follows = follows


_INSTEAD = {
    "the model as it was before it was quantized": (
        "QLinearConv QLinearMatMul QLinearAdd QLinearGlobalAveragePool QuantizeLinear "
        "DequantizeLinear DynamicQuantizeLinear ConvInteger MatMulInteger"
    ),
    "onnxsim: it takes branches and loops apart that do not depend on the image": "If Loop Scan",
}
_FIXES = {op_type: fix for fix, op_types in _INSTEAD.items() for op_type in op_types.split()}


def without_row(facts: Facts, *, first: bool = True) -> Unsupported:
    """The refusal of an operator without a row: the `first`, or one that reads another such one."""
    return Unsupported("no row computes it", _FIXES.get(facts.op_type, ""), follows=not first)


def keeping(before: str) -> str:
    """The fix that makes a model of what stands before a node, up to the value that it reads."""
    return f"onnx.utils.extract_model(..., output_names=[{before!r}]) keeps what stands before it"
