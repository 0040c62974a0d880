"""
A target of Numba's for kernels: its CPU, with as much of Numba as they use.

Numba's own brings lists, strings, arrays, random numbers and much else, and loads all of it, and
whatever other packages add, before it compiles anything. Kernels compute with numbers.
"""

from functools import cached_property, partial
from importlib import import_module
from typing import Any

from llvmlite import binding
from numba.core.codegen import AOTCodeLibrary, AOTCPUCodegen
from numba.core.cpu import CPUContext
from numba.core.decorators import jit
from numba.core.registry import CPUDispatcher, CPUTarget
from numba.core.target_extension import CPU, dispatcher_registry, jit_registry, target_registry

from cnndsl.backends.cpu.elf import IS_AT_HOME

TARGET = "cnndsl"
"""What Numba calls it."""
# Modules that register how to compile what they are named for, when they are imported.
_REGISTERING = ("builtins", "iterators", "numbers", "rangeobj", "tupleobj")


# What LLVM makes better, in this order. Kernels say which values are vectors, which loops there are
# and what is computed before them. So these few leave code that is smaller, spills less and is as
# fast as what Numba's pipelines make, each function twice over and in ten times as long.
_PASSES = (
    *("always_inliner", "sroa", "simplify_cfg", "instruction_combine", "loop_rotate", "new_gvn"),
    *("instruction_combine", "simplify_cfg", "global_dead_code_eliminate"),
)


class KernelLibrary(AOTCodeLibrary):
    """A kernel's module, optimised once."""

    _codegen: "KernelCodegen"

    def _optimize_functions(self, ll_module: binding.ModuleRef) -> None:
        ll_module.data_layout = self._codegen.data_layout

    def _optimize_final_module(self) -> None:
        tuning = binding.create_pipeline_tuning_options()
        builder = binding.create_pass_builder(self._codegen.machine, tuning)
        passes = binding.create_new_module_pass_manager()
        for name in _PASSES:
            getattr(passes, f"add_{name}_pass")()
        passes.run(self._final_module, builder)


class KernelCodegen(AOTCPUCodegen):
    """Code for this processor, in object files: for `elf`, or where that is not at home, LLVM."""

    _library_class = KernelLibrary

    def __init__(self) -> None:
        super().__init__(TARGET, "host")

    def _customize_tm_options(self, options: dict[str, Any]) -> None:
        super()._customize_tm_options(options)
        if not IS_AT_HOME:  # LLVM may put constants farther from code than usual code reaches
            x86 = binding.Target.from_default_triple().name.startswith("x86")
            options |= {"reloc": "static" if x86 else "default", "codemodel": "jitdefault"}
            options["jit"] = True

    def _customize_tm_features(self) -> str:
        return self._get_host_cpu_features()

    @property
    def machine(self) -> binding.TargetMachine:
        """What the code is for."""
        return self._tm

    @property
    def data_layout(self) -> str:
        """How it lays out data."""
        return self._data_layout


class KernelContext(CPUContext):
    """What kernels are lowered with."""

    def init(self) -> None:
        self.is32bit = False
        self._internal_codegen = KernelCodegen()

    def load_additional_registries(self) -> None:
        for name in _REGISTERING:
            import_module(f"numba.cpython.{name}")
        self.install_registry(import_module("numba.cpython.mathimpl").registry)

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Link none of Numba's runtime, which counts references: kernels allocate nothing."""


class KernelTarget(CPUTarget):
    """The contexts in which kernels are typed and lowered."""

    @property
    def target_context(self) -> KernelContext:
        """What lowers."""
        return self._context

    @cached_property
    def _context(self) -> KernelContext:
        return KernelContext(self.typing_context, TARGET)


class KernelDispatcher(CPUDispatcher):
    """What compiles the functions that kernels call."""

    targetdescr = KernelTarget(TARGET)


class KernelCPU(CPU):
    """The target among Numba's others: what any CPU can do, it can."""


target_registry[TARGET] = KernelCPU
dispatcher_registry[KernelCPU] = KernelDispatcher
jit_registry[KernelCPU] = partial(
    jit, _target=TARGET, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
