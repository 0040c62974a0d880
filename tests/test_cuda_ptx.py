"""What the compilers make of the CUDA target's kernels: no GPU is needed to see it."""

import re

import pytest
from cuda_kernels import KERNELS

import cnndsl

pytest.importorskip("numba_cuda")
from cnndsl.backends.cuda.availability import missing_compilers
from cnndsl.backends.cuda.gpu import ARCHITECTURES, architecture_name
from cnndsl.backends.cuda.kernels.device_code import SIMULATED

if SIMULATED or missing_compilers():
    pytest.skip("needs NVIDIA's compilers: pip install 'cnndsl[cuda]'", allow_module_level=True)

from cnndsl.backends.cuda.compile import kernel_ptx
from cnndsl.backends.cuda.emit import described, step_launches
from cnndsl.backends.cuda.link import can_link, link
from cnndsl.compiler import Compilation
from cnndsl.types import Options

MOST_SHARED_BYTES = 48 * 1024
REGISTERS = 65536  # of a processor
THREADS = 256  # of a block of any of these kernels


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=architecture_name)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_a_kernel_compiles_to_float32_code_that_fits_a_processor(kernel, architecture):
    ptx = kernel_ptx(kernel, architecture)
    assert re.findall(r"\.entry (\w+)", ptx) == [kernel.symbol]
    assert f".target {architecture_name(architecture)}" in ptx
    assert ".f64" not in ptx
    if can_link():
        code = link(ptx, architecture)
        assert code.cubin.startswith(b"\x7fELF")
        assert code.spilled_bytes == code.stack_bytes == 0
        assert 0 < code.registers * THREADS <= REGISTERS
        assert code.shared_bytes <= MOST_SHARED_BYTES


@pytest.mark.slow
def test_a_launch_passes_what_the_compiled_kernel_takes():
    plan = Compilation(cnndsl.parse("lenet5"), "cuda").plan
    launches = {n.kernel: n for step in plan.steps for n in step_launches(step, 1)}
    for kernel, launch in launches.items():
        # As the device passes them: addresses, and numbers by the type of their values.
        numbers = ["f32" if isinstance(n, float) else "u32" for n in launch.shape]
        taken = re.findall(r"\.param \.(\w+) \w+_param_\d+", kernel_ptx(kernel, (9, 0)))
        assert taken == ["u64"] * len(launch.arguments) + numbers


@pytest.mark.skipif(not can_link(), reason="needs NVIDIA's linker")
def test_a_row_is_explained_by_what_each_architecture_launches():
    plan = Compilation(cnndsl.parse("alexnet"), "cuda", options=Options(precision="tf32")).plan
    first = next(step for step in plan.steps if step.kernel == "conv_tf32")
    lines = described(first)
    assert lines[0].startswith("  conv_tile_")
    told = [line.split(":")[0].strip() for line in lines if " registers, 0 bytes spilled" in line]
    assert set(told) == {"sm_90", "sm_80"}  # older ones multiply no tf32
