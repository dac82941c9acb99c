"""What a process takes of a GPU: the whole of it, the CUDA context and the libraries' workspaces included."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context

from pytest_archbench import nvml
from pytest_archbench.computing import autotuned, gpu_uuid, synchroniser
from pytest_archbench.meters import CannotMeasure, existing_on, meter
from pytest_archbench.meters.running import prepare
from pytest_archbench.records import Architecture, Conditions, Metric, Reading, Settings

PASSES = 3
"""After the first, which tries cuDNN's algorithms and gives back what the losers took. Torch keeps what it frees, so
that afterwards all of the peak is held."""
BY_PROCESS = "as the driver accounts for the process"
BY_GROWTH = "as the device's memory in use grew meanwhile, whoever used it"


ELSEWHERE = existing_on({"device_memory": ("cuda",)})


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
    obstacle=ELSEWHERE,
)
def device_memory(architecture: Architecture, conditions: Conditions, _settings: Settings) -> Mapping[str, Reading]:
    """The device memory of this process after some passes; it has run nothing else, so that all of it is the network's:
    whether a variant answers as it should is looked at in a process beside it.

    Bianco et al. 2018 (section IV, Table 2) read the growth of the device's memory in use; where the driver tells what
    this very process holds, that is taken, which no neighbour disturbs.

    Raises: CannotMeasure on another device than CUDA, and where NVIDIA's driver does not tell.
    """
    if reason := ELSEWHERE("device_memory", conditions.device):
        raise CannotMeasure(f"it {reason}")
    note = _agreed_elsewhere(architecture, conditions)
    before = dict(_used())  # before torch makes a context
    import torch

    autotuned(conditions.device)
    ready = prepare(architecture, conditions, check=False)
    with torch.inference_mode():
        ready.forward()
        torch.cuda.empty_cache()
        for _ in range(PASSES):
            ready.forward()
    synchroniser(conditions.device)()
    held, account = _held(conditions.device, before)
    return {
        "device_memory": Reading(
            (held,),
            "device memory of a process of its own after some forward passes, cuDNN autotuned in the first, "
            f"CUDA context included, {account}",
            notes=note,
            input_shape=ready.fed,
            dtype=ready.dtype,
        )
    }


def _agreed_elsewhere(architecture: Architecture, conditions: Conditions) -> tuple[str, ...]:
    """The note of a variant's outputs, from a process that is gone before ours begins. Raises: as ``prepare``."""
    if not conditions.variant:
        return ()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_notes, architecture, replace(conditions, batch_size=1)).result()


def _notes(architecture: Architecture, conditions: Conditions) -> tuple[str, ...]:
    return prepare(architecture, conditions).notes


def _used() -> Iterator[tuple[str, int]]:
    """Bytes in use of every GPU that tells, by its driver's name for it."""
    for gpu in nvml.every():
        with suppress(nvml.NoNvml):
            yield gpu.uuid, gpu.used_memory()


def _held(device: str, before: Mapping[str, int]) -> tuple[int, str]:
    """Bytes, and whose account they are from. Raises: CannotMeasure."""
    try:
        gpu = nvml.gpu(gpu_uuid(device))
        own = gpu.memory_of(os.getpid())
        return (own, BY_PROCESS) if own is not None else (gpu.used_memory() - before[gpu.uuid], BY_GROWTH)
    except (nvml.NoNvml, KeyError) as error:
        raise CannotMeasure(f"device_memory: NVIDIA's driver does not tell: {error}") from None
