"""What each operator of ONNX becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from cnndsl.interop.onnx import import_arithmetic as arithmetic
from cnndsl.interop.onnx import import_cells as cells
from cnndsl.interop.onnx import import_formulas as formulas
from cnndsl.interop.onnx import import_functions as functions
from cnndsl.interop.onnx import import_places as places
from cnndsl.interop.onnx import import_reductions as reductions
from cnndsl.interop.onnx import import_taking as taking
from cnndsl.interop.onnx import import_windows as windows
from cnndsl.interop.onnx.detours import STRIDED, import_strided
from cnndsl.interop.onnx.import_resize import import_resize
from cnndsl.interop.onnx.import_transposed import import_conv_transpose
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View

Importer: TypeAlias = (
    Callable[[Step], View]
    | Callable[[Step], Array]
    | Callable[[Step], list[View]]
    | Callable[[Step], list[View | Array]]
)

IMPORTERS: Mapping[str, Importer] = {
    "Abs": functions.function("abs"),
    "Add": arithmetic.import_add,
    "AveragePool": windows.import_average_pool,
    "BatchNormalization": cells.import_batch_norm,
    "Cast": places.import_cast,
    "Celu": functions.import_celu,
    "Clip": functions.import_clip,
    "Concat": places.import_concat,
    "Conv": windows.import_conv,
    "ConvTranspose": import_conv_transpose,
    "DepthToSpace": windows.import_depth_to_space,
    "Div": arithmetic.import_div,
    "Dropout": cells.import_dropout,
    "Elu": functions.plain_function("elu", alpha=1.0),
    "Exp": functions.function("exp"),
    "Expand": places.import_expand,
    "Flatten": places.import_flatten,
    "Gather": taking.import_gather,
    "Gelu": functions.import_gelu,
    "Gemm": cells.import_gemm,
    "GlobalAveragePool": windows.import_global_average_pool,
    "GlobalMaxPool": windows.import_global_max_pool,
    "GroupNormalization": cells.import_group_norm,
    "HardSigmoid": functions.plain_function("hard_sigmoid", alpha=0.2, beta=0.5),
    "HardSwish": functions.plain_function("hard_swish"),
    "Identity": places.import_identity,
    "InstanceNormalization": cells.import_instance_norm,
    "LRN": cells.import_lrn,
    "LayerNormalization": formulas.import_layer_norm,
    "LeakyRelu": functions.plain_function("leaky_relu", alpha=0.01),
    "LogSoftmax": functions.import_softmax,
    "LpNormalization": formulas.import_lp_normalization,
    "LpPool": windows.import_lp_pool,
    "MatMul": cells.import_matmul,
    "Max": formulas.import_max,
    "MaxPool": windows.import_max_pool,
    "Mean": formulas.import_mean,
    "Min": formulas.import_min,
    "Mish": functions.plain_function("mish"),
    "Mul": arithmetic.import_mul,
    "Neg": arithmetic.import_neg,
    "PRelu": functions.import_prelu,
    "Pad": places.import_pad,
    "Pow": formulas.import_pow,
    "Reciprocal": functions.function("power(-1)"),
    "ReduceL1": reductions.import_reduce_norm,
    "ReduceL2": reductions.import_reduce_norm,
    "ReduceMax": reductions.import_reduce_max,
    "ReduceMean": reductions.import_reduce_mean,
    "ReduceMin": formulas.import_reduce_min,
    "ReduceSum": reductions.import_reduce_sum,
    "ReduceSumSquare": formulas.import_reduce_sum_square,
    "Relu": functions.plain_function("relu"),
    "Reshape": places.import_reshape,
    "Resize": import_resize,
    "ScaledTanh": functions.import_scaled_tanh,
    "Selu": functions.import_selu,
    "Shape": places.import_shape,
    "Sigmoid": functions.plain_function("sigmoid"),
    "Slice": taking.import_slice,
    "Softmax": functions.import_softmax,
    "Softplus": functions.plain_function("softplus"),
    "Softsign": formulas.import_softsign,
    "SpaceToDepth": windows.import_space_to_depth,
    "Split": places.import_split,
    "Sqrt": functions.function("power(0.5)"),
    "Squeeze": places.import_squeeze,
    "Sub": arithmetic.import_sub,
    "Sum": arithmetic.import_sum,
    "Swish": functions.import_swish,
    "Tanh": functions.plain_function("tanh"),
    "Tile": taking.import_tile,
    "Transpose": places.import_transpose,
    "Unsqueeze": places.import_unsqueeze,
    "Upsample": import_resize,
    STRIDED: import_strided,
}
"""The importer of each operator, by its name."""
