"""From operators to rows of kernel fields: the side of each kernel that needs no numba."""
