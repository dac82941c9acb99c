"""What published metrics and units mean in ours: one table, looked up when a figure is read."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from pytest_archbench.units import MACS_PER_FLOP


class Conversion(NamedTuple):
    """``ours = theirs * scale * batch_size ** batch_power + offset``, in ``unit``.

    Ours are a time of the whole batch and a count of one image: a published time per image is multiplied by the
    batch size (power 1), a published count of a whole batch divided by it (power -1).
    """

    metric: str
    unit: str
    scale: Decimal
    offset: Decimal = Decimal(0)
    batch_power: int = 0


_PREFIXES = {"count": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SECONDS = {"s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6")}
_FRACTIONS = {"fraction": Decimal(1), "percent": Decimal("0.01")}
_WHOLE_BATCH = ("inference_time", "inference_time_median", "forward_time", "batch_time", "step_time")

CONVERSIONS: dict[tuple[str, str], Conversion] = {
    **{("params", unit): Conversion("params", "count", Decimal(scale)) for unit, scale in _PREFIXES.items()},
    **{("activations", unit): Conversion("activations", "count", Decimal(scale)) for unit, scale in _PREFIXES.items()},
    **{("macs", unit): Conversion("macs", "MAC", Decimal(scale), batch_power=-1) for unit, scale in _PREFIXES.items()},
    **{
        ("flops", unit): Conversion("macs", "MAC", Decimal(scale) * Decimal(MACS_PER_FLOP), batch_power=-1)
        for unit, scale in _PREFIXES.items()
    },
    **{
        (f"top{k}_accuracy", unit): Conversion(f"top{k}_accuracy", "fraction", scale)
        for k in (1, 5)
        for unit, scale in _FRACTIONS.items()
    },
    **{
        (f"top{k}_error", unit): Conversion(f"top{k}_accuracy", "fraction", -scale, Decimal(1))
        for k in (1, 5)
        for unit, scale in _FRACTIONS.items()
    },
    **{("weights_file_size", unit): Conversion("model_size", "B", Decimal(scale)) for unit, scale in _BYTES.items()},
    **{
        (metric, unit): Conversion("peak_memory", "B", Decimal(scale))
        for metric in ("gpu_memory", "gpu_memory_mib")
        for unit, scale in _BYTES.items()
    },
    **{
        (metric, unit): Conversion("latency", "s", scale) for metric in _WHOLE_BATCH for unit, scale in _SECONDS.items()
    },
    **{
        ("inference_time_per_image", unit): Conversion("latency", "s", scale, batch_power=1)
        for unit, scale in _SECONDS.items()
    },
    **{
        (f"{kind}_accuracy_last_epoch", unit): Conversion(f"{kind}_accuracy", "fraction", scale)
        for kind in ("train", "valid")
        for unit, scale in _FRACTIONS.items()
    },
    ("throughput", "images/s"): Conversion("throughput", "img/s", Decimal(1)),
    ("constrained_rank", "rank"): Conversion("constrained_rank", "rank", Decimal(1)),
    ("top1_accuracy_density", "percent per M params"): Conversion("accuracy_density", "percent/M", Decimal(1)),
}
"""(published metric, unit) -> our metric: FLOPs become MACs, errors accuracies, times per image batch times."""

WITHOUT_COUNTERPART: frozenset[str] = frozenset(
    {
        "backward_time",
        "depth",
        "eval_crop_size",
        "eval_resize_size",
        "feature_memory",
        "inference_time_mean",
        "min_input_size",
        "param_memory",
        "valid_accuracy_best_epoch",
        "valid_forward_time_mean_last_epoch",
        "validation_pass_time",
    }
)
"""Published metrics that are carried as data and judge nothing: we measure no such thing."""
