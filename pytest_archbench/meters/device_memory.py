"""What a process takes of a GPU: the whole of it, the CUDA context and the libraries' workspaces included."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pytest_archbench import nvml
from pytest_archbench.computing import gpu_uuid, synchroniser, torch_device
from pytest_archbench.meters import CannotMeasure, meter
from pytest_archbench.meters.running import prepare
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings

PASSES = 3
"""The first fills the libraries' workspaces; torch keeps what it frees, so that afterwards all of the peak is held."""
BY_PROCESS = "as the driver accounts for the process"
BY_GROWTH = "as the device's memory in use grew meanwhile, whoever used it"


def _elsewhere(_metric: str, device: str) -> str:
    return "" if torch_device(device).startswith("cuda") else "exists on cuda alone"


@meter(
    "device_memory",
    Metric(
        "device_memory",
        "B",
        "lower",
        tolerance=0.02,
        description="all that a process with the network takes of a GPU, the CUDA context included",
    ),
    worker="device_memory",
    varied=True,
    alone=True,
    obstacle=_elsewhere,
)
def device_memory(architecture: Architecture, conditions: Conditions, _settings: Settings) -> Mapping[str, Reading]:
    """The device memory of this process after some passes; it has run nothing else, so that all of it is the network's.

    Bianco et al. 2018 (section IV, Table 2) read the growth of the device's memory in use; where the driver tells what
    this very process holds, that is taken, which no neighbour disturbs.

    Raises: CannotMeasure on another device than CUDA, and where NVIDIA's driver does not tell.
    """
    if reason := _elsewhere("device_memory", conditions.device):
        raise CannotMeasure(f"it {reason}")
    before = {gpu.uuid: gpu.used_memory() for gpu in nvml.every()}  # before torch makes a context
    import torch

    ready = prepare(architecture, conditions)
    with torch.inference_mode():
        for _ in range(PASSES):
            ready.forward()
    synchroniser(conditions.device)()
    held, account = _held(conditions.device, before)
    return {
        "device_memory": Reading(
            (held,),
            f"device memory of a process of its own after {PASSES} forward passes, CUDA context included, {account}",
            notes=ready.notes,
            input_shape=ready.fed,
            dtype=ready.dtype,
        )
    }


def _held(device: str, before: Mapping[str, int]) -> tuple[int, str]:
    """Bytes, and whose account they are from. Raises: CannotMeasure."""
    try:
        gpu = nvml.gpu(gpu_uuid(device))
        own = gpu.memory_of(os.getpid())
        return (own, BY_PROCESS) if own is not None else (gpu.used_memory() - before[gpu.uuid], BY_GROWTH)
    except (nvml.NoNvml, KeyError) as error:
        raise CannotMeasure(f"device_memory: NVIDIA's driver does not tell: {error}") from None
