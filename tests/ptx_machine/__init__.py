"""
A machine for PTX: it runs what the compiler makes of a kernel, on NumPy arrays.

numba-cuda's simulator runs a kernel's Python, with plain twins in the place of what is PTX only.
This machine runs the PTX itself: `mma.sync`, `ldmatrix`, `cp.async`, vectors and shuffles as the
PTX ISA (https://docs.nvidia.com/cuda/parallel-thread-execution) describes them, and what the
optimiser made of all else. It is written from that text and knows nothing of the backend's tables.

- `parser.py` reads a module; `decode.py` makes a Python function of each instruction.
- `arithmetic.py` has what a lane computes by itself, `matrix.py` what warps compute together,
  `transfers.py` what moves between registers and memory.
- `memory.py` knows who wrote and read each word, and finds what a GPU does not forgive.
- `execute.py` runs the threads of several blocks as the elements of arrays: those at the same
  instruction together, those at the earliest first, so that threads that have parted meet again.
- `device.py` is a device in the sense of `cnndsl/backends/cuda/driver.py`.

What it cannot see: time, caches, the order of memory between blocks beyond "none", what NVIDIA's
assembler makes of the PTX, and the last bit of approximate functions. `fma` rounds a float64 sum of
an exact product: off by one rounding of 2^-53, which shows in float32 hardly ever.
"""
