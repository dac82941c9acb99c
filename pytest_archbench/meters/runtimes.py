"""What runs a network: torch as it is, torch's compiler, or another engine that takes it over in the format ONNX."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_archbench.computing import torch_device
from pytest_archbench.meters import CannotMeasure
from pytest_archbench.records import Conditions

if TYPE_CHECKING:
    from torch import nn

Run = Callable[..., Any]
"""What is called with a network's inputs, and answers as the network does: in tensors, or in a list of them."""

PROVIDERS = {
    ("onnxruntime", "cpu"): "CPUExecutionProvider",
    ("onnxruntime", "cuda"): "CUDAExecutionProvider",
    ("tensorrt", "cuda"): "TensorrtExecutionProvider",
}
"""Which of ONNX Runtime's engines stands for a runtime on a kind of device."""
NEEDED = ("onnxruntime", "onnx", "onnxscript")


def compiled(model: nn.Module, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _conditions: Conditions) -> Run:
    """torch.compile with its own settings. A network that it cannot take whole runs in pieces."""
    import torch

    torch._dynamo.reset()  # what it learnt of another network in this process is none of this one's
    run: Run = torch.compile(model, dynamic=False)
    return run


def exported(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], conditions: Conditions) -> Run:
    """The network in the format ONNX, held by ONNX Runtime's engine for the runtime and the device.

    Raises: CannotMeasure where the engine is not here; whatever torch's exporter and the engine raise.
    """
    provider = _provider(conditions)
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = conditions.threads
    options.log_severity_level = 4  # its warnings are about its own choices, and it writes them to the terminal
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(model, args, path, kwargs=dict(kwargs), dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=[provider])
    if provider not in session.get_providers():  # it falls back to the processor without a word
        raise CannotMeasure(f"{conditions.runtime}: {provider} did not start; install what it needs beside onnxruntime")
    names = [each.name for each in session.get_inputs()]
    return _on_cpu(session, names) if provider == PROVIDERS["onnxruntime", "cpu"] else _bound(session, names)


def _provider(conditions: Conditions) -> str:
    """Raises: CannotMeasure."""
    runtime, kind = conditions.runtime, torch_device(conditions.device).partition(":")[0]
    if missing := [package for package in NEEDED if importlib.util.find_spec(package) is None]:
        raise CannotMeasure(f"{runtime} needs {', '.join(missing)}: pip install 'pytest-archbench[onnx]'")
    provider = PROVIDERS.get((runtime, kind))
    if provider is None:
        there = ", ".join(place for engine, place in PROVIDERS if engine == runtime)
        raise CannotMeasure(f"{runtime} runs on {there}; not on {conditions.device}")
    if conditions.memory_format != "contiguous":
        raise CannotMeasure(f"{runtime}: the format ONNX knows no {conditions.memory_format}")
    if kind == "cpu" and conditions.dtype == "bfloat16":
        raise CannotMeasure(f"{runtime} computes no bfloat16 on the CPU")
    import onnxruntime

    if provider not in onnxruntime.get_available_providers():
        here = ", ".join(onnxruntime.get_available_providers())
        raise CannotMeasure(f"{runtime}: this onnxruntime {onnxruntime.__version__} has no {provider}; it has {here}")
    return provider


def _on_cpu(session: Any, names: list[str]) -> Run:
    import torch

    def run(*args: Any, **kwargs: Any) -> list[Any]:
        given = dict(zip(names, (*args, *kwargs.values()), strict=True))
        said = session.run(None, {name: tensor.numpy() for name, tensor in given.items()})
        return [torch.from_numpy(each) for each in said]

    return run


def _bound(session: Any, names: list[str]) -> Run:
    """Inputs are read where they lie on the GPU, and outputs stay there."""
    from torch.utils.dlpack import from_dlpack

    outputs = [each.name for each in session.get_outputs()]

    def run(*args: Any, **kwargs: Any) -> list[Any]:
        binding = session.io_binding()
        for name, tensor in zip(names, (*args, *kwargs.values()), strict=True):
            place, index, kind = tensor.device.type, tensor.device.index or 0, TYPES[str(tensor.dtype)]
            binding.bind_input(name, place, index, kind, tuple(tensor.shape), tensor.data_ptr())
        for name in outputs:
            binding.bind_output(name, "cuda", args[0].device.index or 0)
        session.run_with_iobinding(binding)
        return [from_dlpack(each._ortvalue.to_dlpack()) for each in binding.get_outputs()]

    return run


TYPES = {"torch.float32": "float32", "torch.float16": "float16", "torch.int64": "int64"}
"""ONNX Runtime's names, which are numpy's, of torch's types."""

RUNTIMES: dict[str, Callable[..., Run]] = {"compile": compiled, "onnxruntime": exported, "tensorrt": exported}
"""By name; ``eager`` is the network itself. The last two hold weights of their own."""


def holds_weights(runtime: str) -> bool:
    """Whether a runtime keeps a copy of the weights that torch knows nothing of."""
    return RUNTIMES.get(runtime) is exported
