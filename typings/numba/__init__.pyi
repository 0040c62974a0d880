from numba.core import types as types

__version__: str
