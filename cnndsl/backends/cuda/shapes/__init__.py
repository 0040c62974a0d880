"""
What kernels are told besides memory: for each file of kernels/, its NamedTuples and tile sizes.

They stand apart so that lowerings, which fill them, need no numba.
"""
