"""Networks by the names that a user gives, ready to run on a device; memory and the reference workload there."""

import ctypes
import importlib
import os
from time import perf_counter
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from pytest_archbench.old_boards.rows import Reading

FILES = (".pt", ".pth", ".ts", ".torchscript")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of mallopt(3), from glibc's malloc.h."""
MEMORY = (
    "weights, buffers and input plus the growth of the allocator's peak in a forward pass after the first, "
    "cuDNN autotuned in the first"
)
"""Word for word that of ``pytest_archbench.meters.memory`` on a GPU, since the way is the same."""


class UnknownNetwork(LookupError):
    """A name that leads to no network; the message says what to write."""


def split(text: str) -> Tuple[str, str]:
    """Name and source of ``NAME=SOURCE``; a source alone is its own name, a file's without folder and ending."""
    name, equals, source = text.partition("=")
    if equals:
        return name, source
    return (os.path.splitext(os.path.basename(text))[0] if is_file(text) else text), text


def is_file(source: str) -> bool:
    """Whether a network comes from a TorchScript file."""
    return source.endswith(FILES)


def find(source: str) -> Callable[[], Any]:
    """What builds the network. Raises: UnknownNetwork."""
    if is_file(source):
        if not os.path.isfile(source):
            raise UnknownNetwork(
                f"{source}: no such file; save one by torch.jit.trace(network, input).save({source!r})"
            )
        return lambda: _torch().jit.load(source, map_location="cpu")
    module, colon, name = source.partition(":")
    try:
        home = importlib.import_module(module if colon else "torchvision.models")
    except ImportError as error:
        raise UnknownNetwork(
            f"{source}: cannot import {module if colon else 'torchvision'} ({error}); {WAYS}"
        ) from error
    found = getattr(home, name if colon else source, None)
    if not callable(found):
        raise UnknownNetwork(f"{source}: {home.__name__} has no function {name or source!r}; {WAYS}")
    return (lambda: found) if isinstance(found, _torch().nn.Module) else found


WAYS = "name a constructor of torchvision.models, package.module:function, or a TorchScript file (*.pt)"


class Ready(NamedTuple):
    """A network on its device, its input there, and the type it computes in."""

    model: Any
    images: Any
    dtype: str
    runtime: str


def prepare(source: str, job: Dict[str, Any]) -> Ready:
    """The network with its own random weights, in evaluation mode, threads pinned. Raises: what it raises."""
    torch = _torch()
    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    model = find(source)()
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"{source}: expected a torch.nn.Module; got {type(model).__name__}")
    model = model.eval().to(job["place"])
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    kinds = (tensor.dtype for tensor in [*model.parameters(), *model.buffers()])
    dtype = next((kind for kind in kinds if kind.is_floating_point), torch.float32)
    shape = [job["batch_size"], *job["input_shape"]]
    images = torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(job["place"], dtype)
    scripted = isinstance(model, torch.jit.ScriptModule)
    return Ready(model, images, str(dtype).replace("torch.", ""), "torchscript" if scripted else "eager")


class Work:
    """A network that can be timed, the device synchronised after each pass."""

    def __init__(self, source: str, job: Dict[str, Any]) -> None:
        torch = _torch()
        torch.backends.cudnn.benchmark = job["place"] != "cpu"  # before the first pass, for memory too
        self.ready = prepare(source, job)
        self.reference = reference_workload(job["place"])
        self._without_autograd = getattr(torch, "inference_mode", torch.no_grad)
        self._wait = synchroniser(job["place"])
        self._timed = stopwatch(job["place"])

    def begin(self) -> None:
        """Hand one pass to the device."""
        with self._without_autograd():
            self.ready.model(self.ready.images)

    def forward(self) -> None:
        """One pass, finished when it returns."""
        self.begin()
        self._wait()

    def lap(self) -> float:
        """One pass, finished when it returns; how long it took, s."""
        return self._timed(self.begin)

    def move(self) -> None:
        """Network and input to other memory, one tensor after the other."""
        with _torch().no_grad():
            for tensor in [*self.ready.model.parameters(), *self.ready.model.buffers()]:
                kept = tensor.data  # until its copy is made, so that the copy cannot take its place
                tensor.data = kept.clone()
            self.ready = self.ready._replace(images=self.ready.images.clone())
        self._wait()


def synchroniser(place: str) -> Callable[[], Any]:
    """Waits until all work handed to the device is done."""
    torch = _torch()
    return (lambda: None) if place == "cpu" else lambda: torch.cuda.synchronize(place)


def stopwatch(place: str) -> Callable[[Callable[[], Any]], float]:
    """Takes the seconds of an action to its end: on a GPU between two events, elsewhere by the wall."""
    if place == "cpu":
        return by_the_wall
    torch = _torch()
    begun, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    stream = torch.cuda.current_stream(place)  # of the GPU that is measured, which may not be the first

    def by_events(action: Callable[[], Any]) -> float:
        begun.record(stream)
        action()
        ended.record(stream)
        ended.synchronize()
        return float(begun.elapsed_time(ended)) / 1e3

    return by_events


def by_the_wall(action: Callable[[], Any]) -> float:
    """Seconds of what is over when it returns."""
    start = perf_counter()
    action()
    return perf_counter() - start


def reference_workload(place: str) -> Callable[[], None]:
    """The same work in every run, in float32: its time shows the pace of the machine."""
    torch = _torch()
    wait = synchroniser(place)
    generator = torch.Generator().manual_seed(0)
    shapes: List[Tuple[int, ...]] = [(1, 32, 56, 56), (32, 32, 3, 3), (256, 256), (1024, 1024)]
    image, kernel, square, large = (torch.randn(*shape, generator=generator).to(place) for shape in shapes)

    def on_cpu() -> None:
        for _ in range(4):
            torch.nn.functional.conv2d(image, kernel, padding=1)
            square @ square

    def on_gpu() -> None:
        for _ in range(8):
            large @ large
        wait()

    return on_cpu if place == "cpu" else on_gpu


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep what is freed for the next pass; False where it is another."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1))


def peak_memory(work: Work, place: str) -> Reading:
    """The reading of ``peak_memory`` on a GPU, B."""
    torch = _torch()
    work.forward()
    tensors = {id(each): each for each in work.ready.model.state_dict(keep_vars=True).values()}
    standing = sum(each.numel() * each.element_size() for each in [*tensors.values(), work.ready.images])
    torch.cuda.reset_peak_memory_stats(place)
    before = torch.cuda.memory_allocated(place)
    work.forward()
    growth = torch.cuda.max_memory_allocated(place) - before
    notes = [f"{standing} B weights, buffers and input", f"{growth} B growth"]
    return Reading([standing + growth], MEMORY, notes=notes)


def _torch() -> Any:
    """Imported where a network runs alone: it takes seconds on a board, and some hundred MB."""
    return importlib.import_module("torch")
