"""Object files made ready to run by LLVM, wherever there is LLVM."""

from __future__ import annotations

from collections.abc import Iterable

from llvmlite import binding


class LlvmLoader:
    """An engine of LLVM's, which keeps the code that it loads."""

    def __init__(self) -> None:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        machine = binding.Target.from_default_triple().create_target_machine()
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)

    def load(self, objects: Iterable[bytes], symbols: Iterable[str]) -> dict[str, int]:
        """The addresses of `symbols`, which `objects` define."""
        for code in objects:
            self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        return {symbol: self._engine.get_function_address(symbol) for symbol in symbols}
