"""The stages below a plan as text: the program as readable calls, and each kernel's code."""

from __future__ import annotations

from cnndsl.backends.blank_params import blank_params
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Address, Call, Field, Shared
from cnndsl.backends.cpu.steps.lower import lower_step
from cnndsl.errors import TargetError
from cnndsl.plan.plan import Plan, Step, memory_name

STAGES = ("python", "llvm", "asm")


def emit(plan: Plan, stage: str) -> str:
    """
    The stage `python`, `llvm` or `asm` of a plan, for a batch of one image.

    Raises `TargetError` for another stage.
    """
    if stage not in STAGES:
        raise TargetError(
            f"the target cpu has no stage {stage!r} below a plan: it has {', '.join(STAGES)}",
            code="E702",
            fixes=["the target cuda"] if stage == "ptx" else (),
        )
    calls = [
        (step, row)
        for step in plan.steps
        for lowered in lower_step(step, blank_params(step))
        for row in lowered(1).rows
    ]
    if stage == "python":
        return _python(plan, calls)
    # Imported here: only this stage needs LLVM where the kernels are in the cache.
    from cnndsl.backends.cpu.compile import kernel_text

    kernels = dict.fromkeys(kernel for _, call in calls for kernel in _kernels(call))
    return "\n".join(f"{_title(kernel, stage)}\n{kernel_text(kernel, stage)}" for kernel in kernels)


def _python(plan: Plan, calls: list[tuple[Step, Call]]) -> str:
    """
    The program as Python would say it.

    Addresses are offsets in floats into the caller's arrays and the arena; arrays that the
    program holds (weights, tables) are shown by element type and shape.
    """
    lines = [f"arena = floats({plan.arena})", f"scratch = floats({_scratch(calls)})  # a thread"]
    shared = max((call.shared_floats for _, call in calls), default=0)
    if shared:
        lines.append(f"shared = floats({shared})  # by all threads")
    for step, call in calls:
        names: tuple[str, ...] = getattr(call.fields, "_fields", ())
        lines += ["", f"# {step.row}: {step.y.name} = {step.kernel}", f"{call.kernel.name}("]
        for name, field in zip(names, call.fields, strict=True):
            lines.append(f"    {name}={_field_text(field)},")
        lines.append(f")  # {call.units} units, {call.grain} at a time")
    return "\n".join(lines)


def _field_text(field: Field) -> str:
    if isinstance(field, Address):
        return f"{memory_name(field.place, field.port)} + {field.offset}"
    if isinstance(field, Shared):
        return f"shared + {field.offset}"
    if isinstance(field, Kernel):
        return field.name
    if isinstance(field, int | float):
        return repr(field)
    return f"{field.dtype}[{', '.join(map(str, field.shape))}]"


def _scratch(calls: list[tuple[Step, Call]]) -> int:
    return max((call.scratch_floats for _, call in calls), default=0)


def _kernels(call: Call) -> list[Kernel]:
    return [call.kernel, *(field for field in call.fields if isinstance(field, Kernel))]


def _title(kernel: Kernel, stage: str) -> str:
    return f"{'#' if stage == 'asm' else ';'} ---- {kernel.name}"
