"""From a plan's steps to kernel launches: one family of steps, one file. Nothing imports numba."""
