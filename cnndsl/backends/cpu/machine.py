"""LLVM for this processor: what makes kernels' code better, and what it is made for."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding

from cnndsl.backends.cpu.elf import IS_AT_HOME

# What LLVM makes better, in this order. Kernels say which values are vectors, which loops there are
# and what is computed before them. So these few leave code that is smaller, spills less and is as
# fast as what LLVM's own pipelines make, in a tenth of the time.
_PASSES = (
    *("always_inliner", "sroa", "simplify_cfg", "instruction_combine", "loop_rotate", "new_gvn"),
    *("instruction_combine", "simplify_cfg", "global_dead_code_eliminate"),
)


@cache
def host_machine() -> binding.TargetMachine:
    """This processor, for object files that `elf` loads, or where that is not at home, LLVM."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    places: dict[str, Any] = {"reloc": "pic", "codemodel": "default"}
    if not IS_AT_HOME:  # LLVM may put constants farther from code than usual code reaches
        reloc = "static" if target.name.startswith("x86") else "default"
        places = {"reloc": reloc, "codemodel": "jitdefault", "jit": True}
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        **places,
    )


def parsed(text: str) -> binding.ModuleRef:
    """The module of LLVM IR in text. Raises `RuntimeError` where it is not right."""
    module = binding.parse_assembly(text)
    module.verify()
    return module


def optimise(module: binding.ModuleRef) -> None:
    """Let LLVM make a module better."""
    builder = binding.create_pass_builder(host_machine(), binding.create_pipeline_tuning_options())
    passes = binding.create_new_module_pass_manager()
    for name in _PASSES:
        getattr(passes, f"add_{name}_pass")()
    passes.run(module, builder)
