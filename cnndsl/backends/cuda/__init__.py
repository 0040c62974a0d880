"""NVIDIA GPUs, through numba-cuda: the same plan and operators as the CPU's, kernels of its own."""
