"""Every operator that the CPU has kernels for, with random operands, halos and epilogues."""

from math import prod

import numpy as np
import pytest
from cpu_kernel_driver import UNTOUCHED
from cpu_program_driver import FEW, TINY
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, random_weights
from tolerances import EPSILON, bound

from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.program import assemble
from cnndsl.backends.cpu.session import Session
from cnndsl.backends.cpu.steps.lower import lower_step
from cnndsl.backends.cpu.strategy import choose
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Op
from cnndsl.plan.plan import Buffer, Step
from cnndsl.plan.strategy import Halo, widest
from cnndsl.types import f32

pytestmark = pytest.mark.cache

BATCH = 2
NOT_COMPUTED = ("input", "flatten")  # the planner's own
MOVES = (
    *("maxpool", "globalmaxpool", "concat", "pad", "slice", "shuffle", "reshape", "dropout"),
    "constant",
)
SUMS_OF_PRODUCTS = ("conv", "depthwise", "separable", "convtranspose", "dense", "subsample")
halos = st.tuples(*[st.integers(0, 2)] * 4)


def placed(name: str, shape: tuple[int, ...], halo: Halo, offset: int) -> Buffer:
    return Buffer(name, shape, "arena", offset, halo if len(shape) == 3 else (0, 0, 0, 0))


def cells(buffer: Buffer, arena: np.ndarray) -> np.ndarray:
    """A batch's cells in the arena, [n, h, w, c] or [n, f]: a view."""
    rows, columns, maps = buffer.image
    strides = (buffer.image_stride, buffer.row_stride, buffer.pixel_stride, 1)
    start = arena[BATCH * buffer.offset + buffer.origin :]
    view = np.lib.stride_tricks.as_strided(
        start, (BATCH, rows, columns, maps), [4 * stride for stride in strides]
    )
    return view if len(buffer.shape) == 3 else view[:, 0, 0]


def computed(
    op: Op,
    epilogue: tuple[Op, ...],
    operands: list[np.ndarray],
    shape: tuple[int, ...],
    params: dict[str, np.ndarray],
    around: tuple[Halo, Halo],
) -> np.ndarray:
    """What the CPU makes of the operands, all in one arena; the halo of the result stays as is."""
    types = tuple(f32(*x.shape[1:]) for x in operands)
    names = tuple(f"x{i}" for i in range(len(operands)))
    choice = choose(Node("y", op, names, "R"), types)
    buffers: list[Buffer] = []
    end = 0
    for name, x in zip((*names, "y"), (*types, f32(*shape)), strict=True):
        halo = (0, 0, 0, 0) if choice.contiguous else widest(choice.halo, around[0])
        buffers.append(placed(name, x.shape, halo if name != "y" else around[1], end))
        end += buffers[-1].image_stride
    *sources, target = buffers
    step = Step(choice.kernel, "y", "R", op, tuple(sources), target, epilogue)
    weights = {name: array.astype(np.float32) for name, array in params.items()}
    calls = [lowered(BATCH) for lowered in lower_step(step, weights)]
    session = Session(assemble(calls, BATCH * end, shared_library()), 1, Helpers(0))
    arena = session._memory[1]
    arena[:] = 0.0
    for buffer, x in zip(sources, operands, strict=True):
        cells(buffer, arena)[:] = x
    arena[BATCH * target.offset :] = UNTOUCHED
    before = arena.copy()
    nothing = np.zeros(1, np.float32)
    session.run((nothing,), (nothing,))
    result = cells(target, arena).copy()
    cells(target, arena)[:] = cells(target, before)
    np.testing.assert_array_equal(arena, before)
    return result


def allowed_error(op: Op, operands: list[np.ndarray], params: dict, y: np.ndarray):
    """The rounding errors of a formula evaluated in float32, cell by cell."""
    kind = op.row_type
    if kind in MOVES:
        return np.zeros(y.shape)
    x, few = operands[0], FEW * EPSILON
    sizes = [np.abs(operand) for operand in operands]
    weights = {name: np.abs(array) for name, array in params.items()}
    if kind in SUMS_OF_PRODUCTS:
        terms = sum(prod(array.shape[1:]) for name, array in params.items() if "bias" not in name)
        terms = max(terms, prod(getattr(op, "kernel", (1, 1))))
        return bound(terms + FEW, op.evaluate(*sizes, **weights))
    if kind in ("add", "mul", "resize", "prelu", "avgpool", "globalavgpool"):
        return bound(x[0].size + FEW, op.evaluate(*sizes, **weights))
    if kind == "batchnorm":
        scale, shift = op.scale_and_shift(**params)
        inside = params["mean"] * scale
        return few * (np.abs(x * scale) + np.abs(shift) + 2 * np.abs(inside))
    if kind in ("groupnorm", "instancenorm", "layernorm"):
        # Cells and means that cancel, by a deviation that epsilon keeps from 0.
        largest = np.max(np.abs(x)) / np.sqrt(op.epsilon)
        spread = weights.get("weight", 1.0) * largest + weights.get("bias", 0.0)
        return (x[0].size + FEW) * EPSILON * np.broadcast_to(spread, y.shape)
    return (x.shape[-1] + 4 * FEW) * EPSILON * np.abs(y) + TINY


def within(op: Op, y: np.ndarray, expected: np.ndarray, allowed: np.ndarray) -> None:
    error = np.abs(y - expected)
    worst = np.argmax(error - allowed)
    message = f"{op}: {error.flat[worst]} of {allowed.flat[worst]} at {expected.flat[worst]}"
    assert np.isfinite(y).all(), op
    assert (error <= allowed).all(), message


@pytest.mark.parametrize("row_type", sorted(set(CASES) - set(NOT_COMPUTED)))
@given(
    data=st.data(),
    around=st.tuples(halos, halos),
    function=st.sampled_from(["linear", "linear", "relu", "tanh"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_cpu_computes_what_the_operator_says(row_type, data, around, function, seed):
    op, types = data.draw(CASES[row_type])
    rng = np.random.default_rng(seed)
    operands = [
        rng.standard_normal((BATCH, *t.shape)).astype(np.float32).astype(float) for t in types
    ]
    params = {
        name: array.astype(np.float32).astype(float)
        for name, array in random_weights(op.params(*types), rng).items()
    }
    shape = op.infer(*types).shape
    expected = np.broadcast_to(op.evaluate(*operands, **params), (BATCH, *shape))
    allowed = allowed_error(op, operands, params, expected)
    epilogue = ()
    if row_type not in ("activation", "dropout") and function != "linear":
        epilogue = (Activation(function),)
        expected = epilogue[0].evaluate(expected)
        allowed = allowed + (FEW * EPSILON * np.abs(expected) if function == "tanh" else 0.0)
    y = computed(op, epilogue, operands, shape, params, around)
    within(op, y, expected, np.broadcast_to(allowed, expected.shape))
