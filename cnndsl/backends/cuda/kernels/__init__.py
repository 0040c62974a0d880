"""
The kernels: plain Python functions, one family a file.

A kernel is decorated nowhere. `compile.py` makes PTX of it for an architecture, and the simulator
runs the same function as it stands. What is agreed:

- **Arguments.** `def conv_tile(x: Floats, weight: Floats, ..., y: Floats, shape: ConvShape)`: flat
  memory first, then one NamedTuple of the module's own, last and named `shape`. `Floats` and `Ints`
  (`device_code.py`) are pointers to float32 and int32 on a device, one-dimensional arrays in the
  simulator; index 0 is where the value starts. A pointer that a call does not need points to one
  float that nobody reads. The annotations are the signature: int fields become int32, float fields
  float32.
- **Constants.** A kernel with compile-time constants is made by a factory,
  `conv_tile_kernel(tile, activation)`, that returns it; what the closure holds is a constant to the
  compiler. Parameters are numbers, names and tuples of them. A lowering names a kernel by
  `Kernel(module, function, parameters)` and imports nothing from here: the NamedTuples and sizes
  that both know stand in `cuda/shapes/`, one file for each of these.
- **Helpers** that run on the device are `@inlined`. They may be called from any kernel, and their
  code becomes the caller's. They do not name `cuda`: a kernel passes thread numbers on, and
  `barrier()` stands for `cuda.syncthreads()`.
- **Bounds.** Values have no halo: a kernel tests bounds itself. The grid may be larger than the
  work; threads without work still reach every `cuda.syncthreads()`.
- **Numbers.** All arithmetic is float32: a literal is written `float32(0.5)`, for a plain 0.5
  makes float64 of everything that it meets. A gate looks for float64 in the PTX. Numba's `a // b`
  of integers is a slow signed 64-bit one: `quotient(a, b)` is a fast unsigned one.
- **PTX-only** code (128-bit loads, `mma.sync`, `cp.async`) stands behind a seam that has a plain
  twin with the same name and meaning: `if SIMULATED:` picks one when the module is imported.
- **Epilogue.** A kernel that computes a cell writes `activated(value, shape.alpha, shape.beta)`,
  where its factory has set `activated = activation_function(activation)` (`epilogue.py`). The name
  `activation` is the last parameter of the factory, so only that function is compiled in. A
  lowering takes the name and both numbers from `Epilogue` in `shapes/epilogue.py`.
"""
