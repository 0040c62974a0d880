"""What the CUDA backend calls a kernel."""

from __future__ import annotations

from dataclasses import dataclass

Parameter = int | float | str | tuple["Parameter", ...]


@dataclass(frozen=True, slots=True)
class Kernel:
    """
    A compiled function, named by what makes it.

    `module` is a file of kernels/ and `function` a name in it: the kernel itself, or, where there
    are parameters, a factory that returns the kernel for them. `shared_bytes` of shared memory are
    not its own, but come with a launch: only so can a block have more than 48 KiB. `bounds` are the
    most threads that a block has, and how many blocks a processor shall hold at once, where the
    assembler is told so.

    >>> Kernel("pool", "lp_pool_kernel", (2.0, "relu")).name
    'lp_pool_2_0_relu'
    """

    module: str
    function: str
    parameters: tuple[Parameter, ...] = ()
    shared_bytes: int = 0
    bounds: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """A name that no other kernel has: file names and symbols are made of it."""
        words = [self.function.removesuffix("_kernel"), *_words(self.parameters)]
        return "_".join(words)

    @property
    def symbol(self) -> str:
        """What its machine code calls it."""
        return f"cnndsl_{self.name}"


def _words(parameters: tuple[Parameter, ...]) -> list[str]:
    words: list[str] = []
    for parameter in parameters:
        if isinstance(parameter, tuple):
            words += _words(parameter)
        else:
            words.append(str(parameter).replace(".", "_").replace("-", "m").replace("+", ""))
    return words
