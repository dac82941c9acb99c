"""Peak memory of a forward pass, in a process that times nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_archbench import inputs
from pytest_archbench.meters import CannotMeasure, meter
from pytest_archbench.meters.running import prepare, synchroniser, torch_device
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings

HIGH_WATER_MARK = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")


@meter(
    "memory",
    Metric("peak_memory", "B", "lower", tolerance=0.05, description="weights, input and working memory at the peak"),
    worker="memory",
    # Every block from 64 KiB on is mapped and returned by itself, so the resident set follows the live tensors.
    environment={"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"},
)
def peak_memory(architecture: Architecture, conditions: Conditions, _settings: Settings) -> Mapping[str, Reading]:
    """The peak of the second forward pass above what lay there before it, plus weights and input.

    The first pass fills caches that a running network would have full. With large blocks mapped one by one, the
    growth of the second pass agrees with a profiler's peak of live allocations within a few tenths of a per cent.

    Raises: CannotMeasure where the device keeps no high-water mark that can be reset.
    """
    import torch

    from pytest_archbench.counting import state_bytes

    model, (args, kwargs) = prepare(architecture, conditions)
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
    standing = state_bytes(model) + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    wait = synchroniser(conditions.device)

    def forward() -> None:
        with torch.inference_mode():
            model(*args, **kwargs)
        wait()

    device = torch_device(conditions.device)
    grown = GROWTH.get(device.split(":")[0], _no_mark)(forward, device)
    convention = "weights, buffers and input (exact) plus the growth of the second forward pass (measured)"
    notes = (f"{standing} B weights, buffers and input", f"{grown} B growth")
    return {
        "peak_memory": Reading((standing + grown,), convention, notes=notes, input_shape=inputs.shapes(args, kwargs))
    }


def _resident_growth(forward: Callable[[], None], _device: str) -> int:
    """Growth (B) of this process's resident set during a pass, from Linux's high-water mark."""
    if not RESET.exists():
        raise CannotMeasure(
            f"peak memory on the CPU needs {RESET} (Linux) to reset the high-water mark; it is not here"
        )
    forward()
    RESET.write_text("5")
    before = _status("VmRSS")
    forward()
    return max(_status("VmHWM") - before, 0)


def _status(field: str) -> int:
    """A size field of /proc/self/status, in bytes."""
    for line in HIGH_WATER_MARK.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) * 1024
    raise CannotMeasure(f"{HIGH_WATER_MARK} has no {field}")


def _cuda_growth(forward: Callable[[], None], device: str) -> int:
    """Growth (B) of torch's peak allocation on a CUDA device during a pass."""
    import torch

    forward()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    forward()
    return int(torch.cuda.max_memory_allocated(device) - before)


def _no_mark(_forward: Callable[[], None], device: str) -> int:
    raise CannotMeasure(f"no instrument for peak memory on {device}; there is one for {', '.join(GROWTH)}")


GROWTH: dict[str, Callable[[Callable[[], None], str], int]] = {"cpu": _resident_growth, "cuda": _cuda_growth}
