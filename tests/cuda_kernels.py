"""Every kernel of the CUDA target that moves or reduces cells, with parameters as on a GPU."""

from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.ops.functions import FUNCTIONS

LINEAR = "linear"
ACTIVATIONS = [
    Kernel("cells", "elementwise_kernel", (name,))
    for name, function in FUNCTIONS.items()
    if function.elementwise and name != "relu6"  # a clip to kernels
]
KERNELS = [
    *ACTIVATIONS,
    *(Kernel("cells", f"{name}_kernel", (LINEAR,)) for name in ("affine", "prelu", "add")),
    Kernel("multiply", "multiply_kernel", (LINEAR,)),
    Kernel("gather", "runs"),
    Kernel("gather", "reorder"),
    Kernel("gather", "gather_kernel", (LINEAR,)),
    Kernel("gather", "transpose_kernel", (32, 8)),
    Kernel("resample", "resample_kernel", (LINEAR,)),
    *(
        Kernel("pool", f"{name}_kernel", (LINEAR,))
        for name in ("max_pool", "avg_pool", "subsample")
    ),
    *(Kernel("pool", "lp_pool_kernel", (p, LINEAR)) for p in (1.0, 2.0, 3.0)),
    Kernel("pool", "global_max_pool_kernel", (32, 8, LINEAR)),
    Kernel("pool", "global_avg_pool_kernel", (32, 8, LINEAR)),
    *(Kernel("lrn", "lrn_kernel", (beta, LINEAR)) for beta in (0.5, 0.75, 1.0, 0.6)),
    Kernel("softmax", "softmax_kernel", (32, 8)),
    Kernel("softmax", "log_softmax_kernel", (256, 1)),
    Kernel("normalise", "normalise_lines_kernel", (64, 4, LINEAR)),
    Kernel("normalise", "normalise_groups_kernel", (256, LINEAR)),
    *(Kernel("rbf", "rbf_kernel", (64, root, LINEAR)) for root in (1.0, 2.0)),
]
