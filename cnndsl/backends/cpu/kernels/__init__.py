"""Numba sources of the kernels. Imported only where one must be compiled."""
