"""The stages below a plan as text: the launches as readable calls, and each kernel's PTX."""

from __future__ import annotations

from cnndsl.backends.blank_params import blank_params
from cnndsl.backends.cuda.availability import missing_compilers, multiplies, require_compilers
from cnndsl.backends.cuda.gpu import (
    ARCHITECTURES,
    Architecture,
    Gpu,
    architecture_name,
    assumed_gpu,
)
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Argument, Constant, Extent, Launch
from cnndsl.backends.cuda.link import MachineCode, can_link, link
from cnndsl.backends.cuda.lowering.lower import lower_step
from cnndsl.backends.cuda.lowering.shared import precision_of
from cnndsl.errors import TargetError
from cnndsl.plan.plan import Plan, Step

ASSUMED = assumed_gpu(ARCHITECTURES[-1])
"""The GPU of the texts: they are the same on every machine."""


def emit(plan: Plan, stage: str) -> str:
    """The stage `python` or `ptx` of a plan, for a batch of one image. Raises `TargetError`."""
    steps = [(step, step_launches(step, 1)) for step in plan.steps]
    match stage:
        case "python":
            return _python(plan, steps)
        case "ptx":
            kernels = dict.fromkeys(launch.kernel for _, all_ in steps for launch in all_)
            return "\n".join(_ptx(kernel) for kernel in kernels)
        case _:
            raise TargetError(
                f"the target cuda has no stage {stage!r} below a plan: it has python and ptx",
                code="E702",
            )


def step_launches(step: Step, batch: int, gpu: Gpu = ASSUMED) -> list[Launch]:
    """A step's launches on an assumed GPU, which do not depend on the weights' values."""
    lowered = lower_step(step, blank_params(step), gpu)
    return [launch for work in lowered for launch in work(batch)]


def described(step: Step) -> tuple[str, ...]:
    """
    Each launch of a step for one image, and what its kernel takes of a processor, if known.

    If it is, the launches of all architectures are shown, else those of the assumed GPU.
    """
    precision, known = precision_of(step.kernel), _can_say_resources()
    launched: dict[tuple[Kernel, Extent, Extent], list[Architecture]] = {}
    for architecture in reversed(ARCHITECTURES) if known else [ASSUMED.architecture]:
        if multiplies(architecture, precision):
            for launch in step_launches(step, 1, assumed_gpu(architecture)):
                called = launch.kernel, launch.grid, launch.block
                launched.setdefault(called, []).append(architecture)
    lines: list[str] = []
    for (kernel, *extents), architectures in launched.items():
        blocks, threads = ("x".join(map(str, extent)) for extent in extents)
        lines.append(f"  {kernel.name}: {blocks} blocks of {threads} threads")
        lines += [f"    {resource_words(kernel, a)}" for a in architectures if known]
    return tuple(lines)


def resources(kernel: Kernel, architecture: Architecture) -> MachineCode:
    """What a kernel takes of a processor. Needs numba-cuda and NVIDIA's linker."""
    from cnndsl.backends.cuda.compile import kernel_ptx

    return link(kernel_ptx(kernel, architecture), architecture)


def resource_words(kernel: Kernel, architecture: Architecture) -> str:
    """A kernel's registers and memory on an architecture that it is made for, as a line."""
    code = resources(kernel, architecture)
    return (
        f"{architecture_name(architecture)}: {code.registers} registers, "
        f"{code.spilled_bytes} bytes spilled, "
        f"{code.shared_bytes + kernel.shared_bytes} bytes of shared memory"
    )


def _can_say_resources() -> bool:
    return not missing_compilers() and can_link()


def _python(plan: Plan, steps: list[tuple[Step, list[Launch]]]) -> str:
    """
    The launches as Python would say them.

    Addresses are offsets in floats into the regions input, output, arena and scratch; arrays that
    lie on the device (weights, tables) are shown by element type and shape.
    """
    scratch = max((launch.scratch for _, all_ in steps for launch in all_), default=0)
    lines = [f"arena = floats({plan.arena})", f"scratch = floats({scratch})"]
    for step, launches in steps:
        for launch in launches:
            lines += ["", f"# {step.row}: {step.y.name} = {step.kernel}"]
            shared = f", 0, {launch.kernel.shared_bytes}" if launch.kernel.shared_bytes else ""
            lines.append(f"{launch.kernel.name}[{launch.grid}, {launch.block}{shared}](")
            lines += [f"    {_argument_text(argument)}," for argument in launch.arguments]
            names: tuple[str, ...] = getattr(launch.shape, "_fields", ())
            numbers = zip(names, launch.shape, strict=True)
            lines.append(f"    {type(launch.shape).__name__}(")
            lines += [f"        {name}={number!r}," for name, number in numbers]
            lines += ["    ),", ")"]
    return "\n".join(lines)


def _argument_text(argument: Argument) -> str:
    if isinstance(argument, Constant):
        array = argument.array
        return f"{array.dtype}[{', '.join(map(str, array.shape))}]"
    return f"{argument.region.place} + {argument.offset}"


def _ptx(kernel: Kernel) -> str:
    require_compilers()
    from cnndsl.backends.cuda.compile import kernel_ptx

    lines = [f"// ---- {kernel.name}"]
    if can_link():
        lines.append(f"// {resource_words(kernel, ASSUMED.architecture)}")
    return "\n".join([*lines, kernel_ptx(kernel, ASSUMED.architecture)])
