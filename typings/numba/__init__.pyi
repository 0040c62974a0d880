from numba.core import types as types
from numba.core.types import float16 as float16
from numba.core.types import float32 as float32
from numba.core.types import int32 as int32
from numba.core.types import uint32 as uint32

__version__: str
