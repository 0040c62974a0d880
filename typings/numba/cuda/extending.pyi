from collections.abc import Callable
from typing import Any

# What comes back is called by code that Numba compiles, with Numba's own types.
def intrinsic(func: Callable[..., Any]) -> Any: ...
