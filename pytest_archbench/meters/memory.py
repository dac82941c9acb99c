"""Peak memory of a forward pass, in a process that times nothing."""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pytest_archbench.meters import CannotMeasure, meter
from pytest_archbench.meters.running import prepare, synchroniser, torch_device
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings


@meter(
    "memory",
    Metric("peak_memory", "B", "lower", tolerance=0.05, description="weights, input and working memory at the peak"),
    worker="memory",
)
def peak_memory(architecture: Architecture, conditions: Conditions, _settings: Settings) -> Mapping[str, Reading]:
    """What torch's allocator holds at the peak of the second forward pass.

    The first pass fills caches that a running network would have full. The process around it (interpreter, libraries, a
    CUDA context) is not part of it.

    Raises: CannotMeasure where torch keeps no account of the device's memory.
    """
    import torch

    from pytest_archbench.counting import state_bytes

    ready = prepare(architecture, conditions)
    tensors = [value for value in (*ready.args, *ready.kwargs.values()) if isinstance(value, torch.Tensor)]
    standing = state_bytes(ready.model) + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    wait = synchroniser(conditions.device)

    def forward() -> None:
        with torch.inference_mode():
            ready.forward()
        wait()

    device = torch_device(conditions.device)
    forward()
    grown = GROWTH.get(device.partition(":")[0], _no_account)(forward, device)
    convention = "weights, buffers and input plus the growth of the allocator's peak in the second forward pass"
    notes = (f"{standing} B weights, buffers and input", f"{grown} B growth")
    reading = Reading((standing + grown,), convention, notes=notes, input_shape=ready.fed, dtype=ready.dtype)
    return {"peak_memory": reading}


def _cpu_growth(forward: Callable[[], None], _device: str) -> int:
    """Peak (B) of live allocations during a pass, from the profiler's record of every block taken and given back.

    The resident set agrees within a few per cent but moves in steps of some hundred kilobytes, and a process that
    has measured before has memory to spare that does not show.
    """
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


def _cuda_growth(forward: Callable[[], None], device: str) -> int:
    """Growth (B) of torch's peak allocation on a CUDA device during a pass."""
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    forward()
    return int(torch.cuda.max_memory_allocated(device) - before)


def _no_account(_forward: Callable[[], None], device: str) -> int:
    raise CannotMeasure(f"torch keeps no account of peak memory on {device}; it does on {', '.join(GROWTH)}")


GROWTH: dict[str, Callable[[Callable[[], None], str], int]] = {"cpu": _cpu_growth, "cuda": _cuda_growth}
