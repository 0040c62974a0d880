"""What is said where a GPU, its driver, or a package is missing or too old."""

import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from test_cuda_device import FakeApi, Result

import cnndsl
from benchmarks.cuda import main as benchmark
from cnndsl.backends.cuda import availability, device, library, link
from cnndsl.backends.cuda.device import Device
from cnndsl.cache import FileCache
from cnndsl.errors import CnnError, TargetError


def compiled():
    return cnndsl.compile("lenet5", seed=0, target="cuda")


@pytest.fixture
def without_simulator(monkeypatch):
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)
    device.shared_device.cache_clear()


@pytest.mark.usefixtures("without_simulator")
def test_without_its_packages_the_target_names_them_and_the_extra(monkeypatch):
    monkeypatch.setattr(availability, "_is_there", lambda module: module != "numba_cuda")
    with pytest.raises(CnnError) as caught:
        compiled()
    assert str(caught.value) == (
        "error[E803]: the target cuda needs numba-cuda\n  fix: pip install 'cnndsl[cuda]'"
    )


def with_api(monkeypatch, api):
    monkeypatch.setattr(availability, "missing_packages", list)
    monkeypatch.setattr(availability, "import_module", lambda name: api)


@pytest.mark.usefixtures("without_simulator")
def test_without_a_driver_the_target_says_so(monkeypatch):
    def missing(flags):
        raise RuntimeError("the driver library cannot be found\nmore")

    with_api(monkeypatch, SimpleNamespace(cuInit=missing))
    with pytest.raises(TargetError) as caught:
        compiled()
    lines = str(caught.value).splitlines()
    assert lines[:2] == [
        "error[E702]: the target cuda needs NVIDIA's driver, and this machine has none",
        "  note: the driver library cannot be found",
    ]
    assert "fix: the target cpu" in lines[3]


@pytest.mark.usefixtures("without_simulator")
@pytest.mark.parametrize("refuses", [True, False])
def test_without_a_gpu_the_target_says_so(monkeypatch, refuses):
    api = FakeApi(devices=1 if refuses else 0)
    if refuses:
        api.refused["cuInit"] = Result.CUDA_ERROR_NO_DEVICE
    with_api(monkeypatch, api)
    with pytest.raises(TargetError, match="needs an NVIDIA GPU, and the driver finds none"):
        compiled()


@pytest.mark.usefixtures("without_simulator")
def test_a_driver_that_is_older_than_the_compilers_is_told_so(monkeypatch):
    api = FakeApi()
    api.version = 12080
    with_api(monkeypatch, api)
    monkeypatch.setattr(availability, "version", lambda package: "13.5.0")
    with pytest.raises(
        TargetError, match=r"knows CUDA 12\.8, and the installed compilers are those"
    ):
        compiled()


def test_an_old_gpu_is_refused_with_its_capability(tmp_path):
    with pytest.raises(TargetError, match=r"Fake GPU has compute capability 6\.1, and the target"):
        Device(FakeApi(6, 1), FileCache(tmp_path))


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_a_precision_that_a_gpu_has_no_instruction_for_is_refused(precision):
    availability.require_precision("Fake GPU", (8, 0), precision)
    with pytest.raises(TargetError, match=f"Fake GPU multiplies no {precision}"):
        availability.require_precision("Fake GPU", (7, 5), precision)


def test_a_linker_that_is_older_than_the_compiler_is_told_so(monkeypatch):
    log, destroyed = b"fatal   : Unsupported .version 9.5; current version is '9.0'\nmore\0", []

    def add_data(*arguments):
        raise RuntimeError("ERROR_PTX_COMPILE (4)")

    def get_error_log(handle, memory):
        memory[:] = log

    linker = SimpleNamespace(
        nvJitLinkError=RuntimeError,
        InputType=SimpleNamespace(PTX=1),
        create=lambda count, options: 7,
        add_data=add_data,
        get_error_log_size=lambda handle: len(log),
        get_error_log=get_error_log,
        destroy=destroyed.append,
    )
    monkeypatch.setattr(link, "_linker", lambda: linker)
    with pytest.raises(TargetError, match=r"linker refuses a kernel: fatal .* version is '9\.0'"):
        link.link("ptx", (9, 0))
    assert destroyed == [7]
    log = b"\0"
    with pytest.raises(TargetError, match=r"refuses a kernel: ERROR_PTX_COMPILE \(4\)"):
        link.link("ptx", (9, 0))


def test_a_gpu_that_is_newer_than_the_linker_is_the_driver_s_to_compile_for(monkeypatch):
    def create(count, options):
        raise RuntimeError("ERROR_UNRECOGNIZED_ARCH (16)")

    linker = SimpleNamespace(nvJitLinkError=RuntimeError, create=create)
    monkeypatch.setattr(link, "_linker", lambda: linker)
    with pytest.raises(TargetError, match="linker does not know sm_130: ERROR_UNRECOGNIZED"):
        link.link("ptx", (13, 0))
    monkeypatch.setattr(library, "can_link", lambda: True)
    assert library._machine_code("ptx", (13, 0)) == b"ptx\0"


def test_precision_is_the_target_cuda_s_alone():
    with pytest.raises(TargetError, match="the target cpu computes products in float32, not in"):
        cnndsl.compile("lenet5", seed=0, precision="tf32")
    with pytest.raises(TargetError, match="strict numerics sum the products of the definition"):
        cnndsl.compile("lenet5", seed=0, target="cuda", precision="tf32", numerics="strict")
    with pytest.raises(TargetError, match="does not keep dense weights in int8"):
        cnndsl.compile("lenet5", seed=0, target="cuda", dense_weights="int8")


@pytest.mark.usefixtures("without_simulator")
def test_the_benchmark_says_that_there_is_no_gpu(monkeypatch, capsys):
    monkeypatch.setattr(availability, "_is_there", lambda module: module != "numba_cuda")
    assert benchmark(["--nets", "lenet5"]) == 2
    assert capsys.readouterr().err.startswith("error[E803]: the target cuda needs numba-cuda")


def test_nobody_waits_for_numba_cuda_who_does_not_compile_for_a_gpu():
    body = """
        import sys
        import cnndsl
        cnndsl.compile("lenet5", seed=0)
        net = cnndsl.compiler.Compilation(cnndsl.parse("lenet5"), "cuda")
        net.emit("python")
        print(sorted(name for name in sys.modules if name.startswith(("numba.cuda", "cuda"))))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(body)], text=True, capture_output=True, check=True
    )
    assert done.stdout == "[]\n"
