"""Peak memory of a forward pass, in a process that times nothing: by torch's account, and by the kernel's."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_archbench.computing import autotuned, synchroniser, torch_device
from pytest_archbench.meters import CannotMeasure, allocator, existing_on, meter
from pytest_archbench.meters.running import Ready, prepare
from pytest_archbench.meters.runtimes import holds_weights
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings

PASSES = 3
"""The median of so many counts: now and then one is off by half a megabyte."""
COUNTED_AT_ONCE = 2**19
"""Bytes by which even that may be off: the kernel counts resident pages in batches, for each processor apart."""
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written to clear_refs, it sets the high-water mark to what is resident (proc_pid_clear_refs(5))."""


AUTOTUNED = "cuDNN autotuned in the first"
"""As times are taken: the fastest algorithms may take more memory than others."""
ELSEWHERE = existing_on({"peak_host_memory": ("cpu",), "peak_reserved_memory": ("cuda", "xpu")})


@meter(
    "memory",
    Metric("peak_memory", "B", "lower", tolerance=0.01, description="weights, input and working memory at the peak"),
    Metric(
        "peak_host_memory",
        "B",
        "lower",
        tolerance=0.01,
        description="the same as the kernel sees it: what becomes resident on the host (Linux with glibc)",
        resolution=COUNTED_AT_ONCE,
    ),
    Metric(
        "peak_reserved_memory",
        "B",
        "lower",
        tolerance=0.01,
        description="what torch's allocator holds of the device at the peak, in use or kept for the next pass",
    ),
    worker="memory",
    varied=True,
    obstacle=ELSEWHERE,
)
def peak_memory(
    architecture: Architecture, conditions: Conditions, _settings: Settings
) -> Mapping[str, Reading | CannotMeasure]:
    """What torch's allocator holds, and what is resident, at the peak of a forward pass after the first.

    The first pass fills caches that a running network would have full. The process around it (interpreter, libraries, a
    CUDA context) is not part of it. The kernel's figure comes first: the profiler's own records would be in it.

    Raises: CannotMeasure where torch keeps no account of the device's memory, or another engine holds the network.
    """
    import torch

    if holds_weights(conditions.runtime):
        raise CannotMeasure(f"torch keeps no account of the memory of {conditions.runtime}")

    from pytest_archbench.counting import state_bytes

    autotuned(conditions.device)
    device = torch_device(conditions.device)
    allocator_growth = GROWTH.get(device.partition(":")[0], _no_account)
    returns_memory = device == "cpu" and allocator.return_freed_memory()
    ready = prepare(architecture, conditions)
    tensors = [value for value in (*ready.args, *ready.kwargs.values()) if isinstance(value, torch.Tensor)]
    standing = state_bytes(ready.model) + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    wait = synchroniser(conditions.device)

    def forward() -> None:
        with torch.inference_mode():
            ready.forward()
        wait()

    tuned = f", {AUTOTUNED}" if device.startswith("cuda") else ""

    def reading(grown: int, account: str) -> Reading:
        return Reading(
            (standing + grown,),
            f"weights, buffers and input plus the growth of {account} in a forward pass after the first{tuned}",
            notes=(f"{standing} B weights, buffers and input", f"{grown} B growth", *ready.notes),
            input_shape=ready.fed,
            dtype=ready.dtype,
        )

    forward()
    try:
        host: Reading | CannotMeasure = reading(
            _resident_growth(forward, device, returns_memory), "the resident set's high-water mark"
        )
    except CannotMeasure as reason:
        host = reason
    return {
        "peak_memory": reading(allocator_growth(forward, device), "the allocator's peak"),
        "peak_host_memory": host,
        "peak_reserved_memory": _reserved(forward, device, ready),
    }


def _reserved(forward: Callable[[], None], device: str, ready: Ready) -> Reading | CannotMeasure:
    """What the allocator keeps of the device at the peak of a pass: in blocks, the free parts of which are in it."""
    memory = _account(device)
    if memory is None:
        return CannotMeasure(f"peak_reserved_memory {ELSEWHERE('peak_reserved_memory', device)}; this is {device}")
    memory.empty_cache()
    memory.reset_peak_memory_stats(device)
    forward()
    return Reading(
        (int(memory.max_memory_reserved(device)),),
        "what the allocator reserves of the device at the peak of a forward pass, weights and input in it, "
        f"{AUTOTUNED}",
        notes=ready.notes,
        input_shape=ready.fed,
        dtype=ready.dtype,
    )


def _account(device: str) -> Any:
    """Torch's account of a device's memory, None where it keeps none."""
    import torch

    return {"cuda": torch.cuda, "xpu": torch.xpu}.get(device.partition(":")[0])


def _resident_growth(forward: Callable[[], None], device: str, returns_memory: bool) -> int:
    """Growth (B) of the kernel's high-water mark of the resident set during a pass.

    The kernel counts pages in steps of 32 for each processor (lib/percpu_counter.c): a figure is good to 0.1 MB or so.

    Raises: CannotMeasure on another device than the CPU, with another C allocator than glibc's, and where the kernel
    keeps or resets no mark.
    """
    if not returns_memory:
        here = f"{device} on {platform.system()} with {' '.join(platform.libc_ver()) or 'an unknown C library'}"
        raise CannotMeasure(f"peak_host_memory needs the device cpu on Linux with glibc; this is {here}")
    return statistics.median_low(_mark_growth(forward) for _ in range(PASSES))


def _mark_growth(forward: Callable[[], None]) -> int:
    gc.collect()
    allocator.trim()
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
        standing = _status("VmRSS")
    except (OSError, LookupError) as error:
        raise CannotMeasure(f"the kernel keeps no high-water mark of memory that can be reset: {error}") from None
    forward()
    return _status("VmHWM") - standing


def _status(field: str) -> int:
    """Bytes, from a line such as ``VmHWM:     2164 kB`` (proc_pid_status(5)). Raises: LookupError without one."""
    for line in STATUS.read_text().splitlines():
        name, _, amount = line.partition(":")
        if name == field:
            return int(amount.removesuffix("kB")) * 1024
    raise LookupError(f"{STATUS}: expected a line {field}; got none")


def _cpu_growth(forward: Callable[[], None], _device: str) -> int:
    """Peak (B) of live allocations during a pass, from the profiler's record of every block taken and given back."""
    import torch

    gc.collect()
    profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True)
    with tempfile.TemporaryDirectory() as folder, _silent_libraries():
        trace = Path(folder) / "trace.json"
        with profile:
            forward()
        profile.export_chrome_trace(str(trace))
        events = json.loads(trace.read_bytes())["traceEvents"]
    live = peak = 0
    for event in sorted((e for e in events if e.get("name") == "[memory]"), key=lambda e: float(e["ts"])):
        live += int(event["args"]["Bytes"])
        peak = max(peak, live)
    return peak


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """Keep the profiler's C++ side from writing about itself to the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  a descriptor is what is wanted
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _allocated_growth(forward: Callable[[], None], device: str) -> int:
    """Growth (B) of torch's peak allocation on a device that has memory of its own, during a pass."""
    memory = _account(device)
    memory.reset_peak_memory_stats(device)
    before = memory.memory_allocated(device)
    forward()
    return int(memory.max_memory_allocated(device) - before)


def _no_account(_forward: Callable[[], None], device: str) -> int:
    raise CannotMeasure(f"torch keeps no account of peak memory on {device}; it does on {', '.join(GROWTH)}")


GROWTH: dict[str, Callable[[Callable[[], None], str], int]] = {
    "cpu": _cpu_growth,
    "cuda": _allocated_growth,
    "xpu": _allocated_growth,
}
