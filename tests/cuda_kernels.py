"""Every kernel of the CUDA target that moves or reduces cells, with parameters as on a GPU."""

from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.ops.functions import FUNCTIONS

LINEAR = "linear"
ACTIVATIONS = [
    Kernel("cells", "elementwise_kernel", (1, name))
    for name, function in FUNCTIONS.items()
    if function.elementwise and name != "relu6"  # a clip to kernels
]
# By module: a thread may take several neighbours.
WIDE = {
    "cells": "affine prelu add",
    "multiply": "multiply",
    "pool": "max_pool avg_pool subsample",
}
KERNELS = [
    Kernel("cells", "elementwise_kernel", (4, LINEAR)),
    *ACTIVATIONS,
    *(
        Kernel(module, f"{name}_kernel", (width, LINEAR))
        for module, names in WIDE.items()
        for name in names.split()
        for width in (1, 4)
    ),
    Kernel("gather", "runs"),
    Kernel("gather", "reorder"),
    Kernel("gather", "gather_kernel", (LINEAR,)),
    Kernel("gather", "transpose_kernel", (32, 8)),
    Kernel("resample", "resample_kernel", (LINEAR,)),
    *(
        Kernel("pool", "lp_pool_kernel", (p, width, LINEAR))
        for p, width in ((1.0, 1), (2.0, 4), (3.0, 4))
    ),
    Kernel("pool", "global_max_pool_kernel", (32, 8, LINEAR)),
    Kernel("pool", "global_avg_pool_kernel", (32, 8, LINEAR)),
    *(Kernel("lrn", "lrn_kernel", (beta, LINEAR)) for beta in (0.5, 0.75, 1.0, 0.6)),
    Kernel("softmax", "softmax_kernel", (32, 8)),
    Kernel("softmax", "log_softmax_kernel", (256, 1)),
    Kernel("normalise", "normalise_lines_kernel", (64, 4, LINEAR)),
    Kernel("normalise", "normalise_groups_kernel", (256, LINEAR)),
    *(Kernel("rbf", "rbf_kernel", (64, root, LINEAR)) for root in (1.0, 2.0)),
]
