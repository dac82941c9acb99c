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
CPU = PROVIDERS["onnxruntime", "cpu"]
NEEDED = ("onnxruntime", "onnx", "onnxscript")
COMPUTED = ("float32", "float16")
"""Types that its engines compute whole networks in. It has single operators in others, and takes no bfloat16 tensor."""


def compiled(model: nn.Module, _args: tuple[Any, ...], _kwargs: Mapping[str, Any], _conditions: Conditions) -> Run:
    """torch.compile with its own settings. A network that it cannot take whole runs in pieces."""
    import torch

    torch._dynamo.reset()  # what it learnt of another network in this process is none of this one's
    run: Run = torch.compile(model, dynamic=False)
    return run


def exported(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], conditions: Conditions) -> Run:
    """The network in the format ONNX, held by ONNX Runtime's engine for the runtime and the device.

    ``conditions.dtype`` is the type the network computes in. On a GPU nothing is left to the processor: a network with
    an operator that the engine has no kernel for is refused.

    Raises: CannotMeasure where the engine is not here; whatever torch's exporter and the engine raise.
    """
    provider = _provider(conditions)
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = conditions.threads
    options.log_severity_level = 4  # its warnings are about its own choices, and it writes them to the terminal
    on_cpu = provider == CPU
    if not on_cpu:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        torch.onnx.export(model, args, path, kwargs=dict(kwargs), dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=_providers(provider, conditions.device))
    if provider not in session.get_providers():  # it falls back without a word
        raise CannotMeasure(f"{conditions.runtime}: {provider} did not start; install what it needs beside onnxruntime")
    names = [each.name for each in session.get_inputs()]
    return _on_cpu(session, names) if on_cpu else _bound(session, names)


def _providers(provider: str, device: str) -> list[Any]:
    """The engine and what stands in for it, each with its GPU, and TF32 as torch has it."""
    import torch

    if provider == CPU:
        return [CPU]
    place = {"device_id": int(torch_device(device).partition(":")[2] or 0)}
    cuda = (PROVIDERS["onnxruntime", "cuda"], {**place, "use_tf32": int(torch.backends.cudnn.allow_tf32)})
    return [cuda] if provider == cuda[0] else [(provider, place), cuda]


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
    if conditions.dtype not in COMPUTED:
        raise CannotMeasure(f"{runtime} computes in {' and '.join(COMPUTED)}; not in {conditions.dtype}")
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
        given = [tensor.contiguous() for tensor in (*args, *kwargs.values())]
        place = given[0].device
        binding = session.io_binding()
        for name, tensor in zip(names, given, strict=True):
            kind = str(tensor.dtype).removeprefix("torch.")  # numpy's names of types are torch's
            binding.bind_input(name, place.type, place.index or 0, kind, tuple(tensor.shape), tensor.data_ptr())
        for name in outputs:
            binding.bind_output(name, place.type, place.index or 0)
        session.run_with_iobinding(binding)
        return [from_dlpack(each._ortvalue.to_dlpack()) for each in binding.get_outputs()]

    return run


RUNTIMES: dict[str, Callable[..., Run]] = {"compile": compiled, "onnxruntime": exported, "tensorrt": exported}
"""By name; ``eager`` is the network itself. The last two hold weights of their own."""


def holds_weights(runtime: str) -> bool:
    """Whether a runtime keeps a copy of the weights that torch knows nothing of."""
    return RUNTIMES.get(runtime) is exported
