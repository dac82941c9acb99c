"""The weights that belong to a network: which file or which published ones, read without running code, and loaded.

A file that the user gave comes first, then what was published, then what the user's own factory makes.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pytest_archbench import inputs
from pytest_archbench.protocols import Interpolation, Missing, Preprocessing, Unusable, Weights
from pytest_archbench.registry import near

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pytest_archbench.protocols import Fit, Learning
    from pytest_archbench.records import Architecture, Baseline

SUFFIXES = (".safetensors", ".pth.tar", ".pth", ".pt", ".bin")
NESTED = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
"""Where a training keeps the parameters in its checkpoints; the first that is there is taken, as timm does."""
WRAPPERS = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
FACTORY = "as its factory makes them"

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
USUAL_CROP = 0.875
"""Share of the resized shorter side that is usually cut out: 224 of 256 pixels."""
LISTED = 5
DIGITS_OF_DIGEST = 16

_NAMED_DIGEST = re.compile(r"-([0-9a-f]{8,})(?=\.)")
_FORBIDDEN = re.compile(r"GLOBAL ([\w.]+)")
_REASON = re.compile(r"WeightsUnpickler error: ([^\n]+)")
"""Behind torch's own advice, which is to read the file without care."""
_DOES_NOT_FIT = (RuntimeError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""What loading raises, timm's own renaming of parameters included, where a file is another network's."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network in eval mode, float32, on the CPU, with its weights.

    ``name`` is that of the weights: ``ResNet50_Weights.IMAGENET1K_V1``, ``resnet50.a1_in1k``, a file's own name where
    it is none of the published ones, ``as its factory makes them``. ``tag`` is empty but for published ones. ``facts``
    are plain data for the journal: ``weights``, ``classes`` (None where nothing says it), and of a file ``file``,
    ``sha256`` (the first 16 digits) and, where a checkpoint holds more, ``key`` and ``passed_over``.
    """

    model: nn.Module
    preprocessing: Preprocessing
    name: str
    tag: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file holds: ``state``, tensors by name without the ``prefix`` that wrappers put before every name; the
    ``key`` they lay under, and the other keys that may hold parameters too.
    """

    state: dict[str, Tensor]
    prefix: str = ""
    key: str = ""
    passed_over: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        chosen = {"key": self.key, "passed_over": list(self.passed_over)}
        return {name: value for name, value in chosen.items() if value}


def loaded(architecture: Architecture, learning: Learning) -> Loaded:
    """The network with the weights that belong to it.

    Raises: Missing where there are none, Unusable where they are damaged, ambiguous or another network's.
    """
    published = list(architecture.weights()) if architecture.weights else []
    given = _given(architecture, published, learning)
    if given is not None:
        path, known = given
        return _of_published(architecture, known, path) if known else _of_file(architecture, published, path)
    if architecture.recipe is not None:
        raise Missing(f"{architecture.name}: not trained yet, and no file of its weights was given")
    if published:
        weights = _chosen(architecture, published, learning.weights_tag)
        return _of_published(architecture, weights, _cached(architecture, weights, learning.download))
    if architecture.is_users_own:
        return _as_made(architecture)
    raise Missing(
        f"{architecture.name}: no weights are published for it: give a file {architecture.name}.pth or .safetensors "
        "with --archbench-weights DIR"
    )


def from_file(architecture: Architecture, path: Path) -> Loaded:
    """The network with what that very file holds, which names no published weights. Raises: Unusable."""
    return _of_file(architecture, (), path)


def speaks_of(figure: Baseline, name: str, tag: str) -> bool:
    """Whether a published accuracy is that of exactly the weights ``name``: their provider's own source names them, by
    ``name`` or by ``tag``, in the last word of its reference.
    """
    provider = "torchvision" if "_Weights." in name else "timm"
    words = figure.reference.split()
    return figure.source.startswith(provider) and bool(words) and words[-1] in {name, tag} - {""}


def of_timm(config: Mapping[str, Any], note: str = "") -> Preprocessing:
    """How timm evaluates by a ``pretrained_cfg`` or a data config: the size and crop for tests where they differ from
    those for training, resized to the crop divided by its share, rounded down.
    """
    _, height, width = config.get("test_input_size") or config.get("input_size") or inputs.DEFAULT_SHAPE
    share = config.get("test_crop_pct") or config.get("crop_pct") or USUAL_CROP
    fit: Fit = config.get("crop_mode") or "center"
    resize = (math.floor(height / share), math.floor(width / share))
    interpolation: Any = config.get("interpolation") or "bicubic"
    if interpolation not in get_args(Interpolation):
        raise ValueError(f"interpolation: expected one of {', '.join(get_args(Interpolation))}; got {interpolation!r}")
    return Preprocessing(
        crop=(height, width),
        resize=resize[0] if fit == "center" and height == width else resize,
        mean=tuple(config.get("mean") or IMAGENET_MEAN),
        std=tuple(config.get("std") or IMAGENET_STD),
        interpolation=interpolation,
        fit=fit,
        note=note,
    )


def read_state(path: Path) -> dict[str, Tensor]:
    """The parameters and buffers in a file by name, on the CPU; nothing in the file is run.

    Raises: Unusable where it would have to be, where the file is damaged, and where it holds no tensors by name.
    """
    return stored(path).state


def stored(path: Path) -> Stored:
    """``read_state``, and where in the file they were."""
    content = _unpacked(path)
    key, passed_over = "", tuple[str, ...]()
    while not _holds_tensors(content):
        there = [name for name in NESTED if isinstance(content, Mapping) and isinstance(content.get(name), Mapping)]
        if not there:
            raise Unusable(f"{path}: expected tensors by name; got {_outline(content)}: {_ANEW}")
        key, passed_over = f"{key}.{there[0]}".strip("."), tuple(there[1:])
        content = content[there[0]]
    state, prefix = _unwrapped(content)
    return Stored(state, prefix, key, passed_over)


_ANEW = "save the network's state alone, torch.save(model.state_dict(), FILE), or as .safetensors"


def _unpacked(path: Path) -> Any:
    """Whatever a file holds. torch's unpickler makes tensors and plain containers, and calls nothing else."""
    import pickle

    try:
        return _from_safetensors(path) if path.name.endswith(".safetensors") else _from_pickle(path)
    except pickle.UnpicklingError as problem:
        forbidden = _FORBIDDEN.search(str(problem))
        if forbidden is None:
            raise Unusable(_damaged(path, problem)) from None
        raise Unusable(
            f"{path}: refused, since reading it would run code ({forbidden[1]}): expected tensors by name; where you "
            f"trust it, {_ANEW}"
        ) from None
    except Exception as problem:  # torch's reader lets whatever a foreign file provokes through
        raise Unusable(_damaged(path, problem)) from problem


def _damaged(path: Path, problem: Exception) -> str:
    reason = _REASON.search(str(problem))
    said = reason[1] if reason else (str(problem).strip() or type(problem).__name__).splitlines()[0][:160]
    return f"{path}: cannot be read: expected what torch.save or safetensors write; got {said}: copy or fetch it anew"


def _from_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except SafetensorError as problem:
        raise ValueError(str(problem)) from problem


def _from_pickle(path: Path) -> Any:
    import torch

    # timm keeps its arguments in a checkpoint, which are attributes and no code; before 2.5 torch refuses them.
    allowed = getattr(torch.serialization, "safe_globals", nullcontext)
    with warnings.catch_warnings(), allowed([argparse.Namespace]):
        warnings.simplefilter("ignore")  # of formats it may not know: it reads the file, or refuses it
        return torch.load(path, map_location="cpu", weights_only=True)


def _holds_tensors(content: Any) -> bool:
    import torch

    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items())
    )


def _outline(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    return f"a mapping with {_some([str(name) for name in content]) or 'nothing in it'}"


def _unwrapped(content: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Without the wrappers' prefix, and that prefix. An averaged model's own counter goes with it. The versions of
    modules that torch keeps beside a state go along, for some modules read them.
    """
    names = [name for name in content if name != "n_averaged"]
    prefix = ""
    while wrapper := next((w for w in WRAPPERS if names and all(n.startswith(prefix + w) for n in names)), ""):
        prefix += wrapper
    kept = names if prefix else list(content)
    state: OrderedDict[str, Tensor] = OrderedDict((name.removeprefix(prefix), content[name]) for name in kept)
    versions = getattr(content, "_metadata", None)
    if isinstance(versions, Mapping):
        versions = {f"{module}.".removeprefix(prefix).rstrip("."): said for module, said in versions.items()}
        state._metadata = versions  # type: ignore[attr-defined]  # (where load_state_dict looks for them)
    return state, prefix


def _given(
    architecture: Architecture, published: Sequence[Weights], learning: Learning
) -> tuple[Path, Weights | None] | None:
    """The one file in the user's folder that is named after the network or weights of it, and which weights it names.

    Of several the one that names weights with a tag that was asked for. Raises: Missing without the folder, Unusable
    where several files are left.
    """
    if not learning.weights:
        return None
    folder = Path(learning.weights).expanduser()
    known = {name: weights for weights in reversed(published) for name in _names_of(architecture, weights)}
    own = _own_names(architecture, published)
    found = {path: known.get(stem) for path, stem in _files(folder) if stem in known or _plain(stem) in own}
    asked = {path: w for path, w in found.items() if w and {w.tag, w.name} & set(learning.weights_tag)}
    left = asked or found
    if len(left) > 1:
        names = ", ".join(sorted(path.name for path in left))
        raise Unusable(f"{folder}: expected one file of weights for {architecture.name}; got {names}: keep one of them")
    return next(iter(left.items()), None)


def _files(folder: Path) -> list[tuple[Path, str]]:
    """Files of weights in a folder, and their names without what says their format."""
    if not folder.is_dir():
        raise Missing(f"{folder}: expected a folder of files of weights; there is none: mend --archbench-weights DIR")
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as problem:
        raise Unusable(f"{folder}: cannot be listed: {problem.strerror}: mend its permissions") from problem
    return [(path, path.name.removesuffix(s)) for path in files if (s := _suffix(path.name))]


def _suffix(name: str) -> str:
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _plain(stem: str) -> str:
    """``resnet50`` of ``resnet50-0676ba61``, as torchvision names files."""
    return _NAMED_DIGEST.sub("", f"{stem}.").removesuffix(".")


def _own_names(architecture: Architecture, published: Sequence[Weights]) -> set[str]:
    """What the network is called: in the catalogue, and by the library that its weights are for. torchvision's weights
    have another name than the network, but the first one's file has it.
    """
    bare = architecture.name.removeprefix(f"{architecture.provider}.")
    theirs = {w.name.removesuffix(w.tag).rstrip(".") for w in published if "_Weights." not in w.name}
    files = {_plain(stem) for w in published[:1] if _plain(stem := _published_stem(w)) != stem}
    return {architecture.name, bare, *architecture.aliases, *theirs, *files}


def _published_stem(weights: Weights) -> str:
    file = weights.address.rsplit("/", 1)[-1]
    return file.removesuffix(_suffix(file))


def _names_of(architecture: Architecture, weights: Weights) -> set[str]:
    """Names, without what says the format, that a file of exactly these weights may have."""
    tagged = {f"{own}.{weights.tag}" for own in _own_names(architecture, [weights]) if weights.tag}
    return {weights.name, *tagged, _published_stem(weights)} - _own_names(architecture, [weights])


def _chosen(architecture: Architecture, published: Sequence[Weights], tags: Sequence[str]) -> Weights:
    """The first with one of the tags that were asked for, in their order; the first of all where none was."""
    wanted = [weights for tag in tags for weights in published if tag in (weights.tag, weights.name)]
    if tags and not wanted:
        known = [weights.tag or weights.name for weights in published]
        hint = near(tags[0], known)
        raise Missing(
            f"{architecture.name}: no published weights have the tag {' or '.join(tags)}; they are "
            f"{', '.join(known)}: {hint}"
        )
    return (wanted or list(published))[0]


def _cached(architecture: Architecture, weights: Weights, fetch: bool) -> Path:
    path = weights.file(fetch)
    if path is None:
        raise Missing(
            f"{architecture.name}: {weights.name} is not on this host: looked in {_cache_of(weights)} for "
            f"{weights.address}: fetch it with --archbench-download, put it there, or give a file "
            f"{weights.name}.pth or .safetensors with --archbench-weights DIR"
        )
    return path


def _cache_of(weights: Weights) -> str:
    from huggingface_hub import constants
    from torch import hub

    hugging_face = weights.address.startswith("https://huggingface.co/")
    return str(constants.HF_HUB_CACHE if hugging_face else Path(hub.get_dir()) / "checkpoints")


def _of_published(architecture: Architecture, weights: Weights, path: Path) -> Loaded:
    digest = _digest(path)
    _check_digest(path, digest, weights)
    found = stored(path)
    model = _first_that_fits(_builders(architecture, weights, found), architecture, found, path)
    facts = {"weights": weights.name, **_facts(path, digest, found), "classes": weights.classes}
    return Loaded(_ready(model), weights.preprocessing, weights.name, weights.tag, facts)


def _of_file(architecture: Architecture, published: Sequence[Weights], path: Path) -> Loaded:
    """A file that names no published weights: prepared for as the recipe says, or as those are that come first."""
    found = stored(path)
    first = next(iter(published), None)
    builders = [*(_builders(architecture, first, found) if first else []), _filled(architecture, found)]
    model = _ready(_first_that_fits(builders, architecture, found, path))
    facts = {"weights": path.name, **_facts(path, _digest(path), found), "classes": _classes(model)}
    return Loaded(model, _assumed(architecture, first, model), path.name, "", facts)


def _as_made(architecture: Architecture) -> Loaded:
    model = _ready(architecture.build())
    facts = {"weights": FACTORY, "sha256": _digest_of(model), "classes": _classes(model)}
    return Loaded(model, _assumed(architecture, None, model), FACTORY, "", facts)


def _builders(architecture: Architecture, weights: Weights, found: Stored) -> list[Callable[[], Any]]:
    build = weights.build
    return [_filled(architecture, found)] if build is None else [lambda: build(found.state)]


def _filled(architecture: Architecture, found: Stored) -> Callable[[], Any]:
    def fill() -> nn.Module:
        model: nn.Module = architecture.build()
        model.load_state_dict(_named_as(model, found))
        return model

    return fill


def _named_as(model: nn.Module, found: Stored) -> dict[str, Tensor]:
    """With the prefix again where the network itself has it: a wrapper of the user's may be called ``module`` too."""
    ours = model.state_dict().keys()
    if found.prefix and not ours & found.state.keys():
        return {f"{found.prefix}{name}": value for name, value in found.state.items()}
    return found.state


def _first_that_fits(
    builders: Sequence[Callable[[], Any]], architecture: Architecture, found: Stored, path: Path
) -> Any:
    for build in builders:
        try:
            return build()
        except _DOES_NOT_FIT as problem:
            failure = problem
    model = architecture.build()
    ours, theirs = _shapes(model.state_dict()), _shapes(_named_as(model, found))
    said = mismatch(ours, theirs) or str(failure).strip().splitlines()[0]
    raise Unusable(f"{path}: not weights of {architecture.name}: {said}") from failure


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def mismatch(ours: Mapping[str, tuple[int, ...]], theirs: Mapping[str, tuple[int, ...]]) -> str:
    """A sentence on how two states differ, by shapes; empty where they do not. Counters of batches, which files of old
    versions have not, are nothing that is missing.
    """
    missing = [name for name in ours if name not in theirs and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in theirs if name not in ours]
    other = {name: (ours[name], theirs[name]) for name in ours if name in theirs and ours[name] != theirs[name]}
    heads = {(mine[:1], its[:1]) if mine[1:] == its[1:] else None for mine, its in other.values()}
    if not missing and not unexpected and len(heads) == 1 and (pair := heads.pop()) and all(pair):
        (mine,), (its,) = pair
        return f"expected {mine} outputs; the file has {its}: give weights for {mine} classes, or a network for {its}"
    shapes = [f"{name} (ours {_by(mine)}, theirs {_by(its)})" for name, (mine, its) in other.items()]
    parts = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    said = [f"{len(names)} {what}: {_some(names)}" for what, names in parts.items() if names]
    return f"expected its {len(ours)} tensors; got {'; '.join(said)}: give weights of this network" if said else ""


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "a scalar"


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits. Raises: Unusable where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as problem:
        raise Unusable(_damaged(path, problem)) from problem
    return digest.hexdigest()


def _digest_of(model: nn.Module) -> str:
    """The first digits of SHA-256 over a network's tensors: equal for equal weights."""
    digest = hashlib.sha256()
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        digest.update(name.encode())
        digest.update(value.detach().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()[:DIGITS_OF_DIGEST]


def _check_digest(path: Path, digest: str, weights: Weights) -> None:
    """A file by its published name holds what was published: that name ends in the first digits of its digest."""
    published = weights.address.rsplit("/", 1)[-1]
    said = _NAMED_DIGEST.search(published)
    if said and path.name == published and not digest.startswith(said[1]):
        raise Unusable(
            f"{path}: not {weights.name}, or damaged: expected a SHA-256 that begins with {said[1]}; got "
            f"{digest[:DIGITS_OF_DIGEST]}: fetch it anew, or name it otherwise"
        )


def _facts(path: Path, digest: str, found: Stored) -> dict[str, Any]:
    return {"file": path.name, "sha256": digest[:DIGITS_OF_DIGEST], **found.facts}


def _ready(model: nn.Module) -> nn.Module:
    return model.float().cpu().eval()


def _classes(model: nn.Module) -> int | None:
    """How many classes a network tells apart: what it says itself, else the outputs of its last layer with weights."""
    said = getattr(model, "num_classes", None)
    if isinstance(said, int) and said > 0:
        return said
    shapes = [getattr(getattr(layer, "weight", None), "shape", ()) for layer in model.modules()]
    return next((int(shape[0]) for shape in reversed(shapes) if len(shape) > 1), None)


def _assumed(architecture: Architecture, first: Weights | None, model: nn.Module) -> Preprocessing:
    """How images are prepared for weights that do not say it."""
    if architecture.recipe is not None:
        return architecture.recipe.preprocessing
    if first is not None:
        return replace(first.preprocessing, note=f"assumed: of {first.name}")
    for name in ("pretrained_cfg", "default_cfg"):
        config = getattr(model, name, None)
        if isinstance(config, Mapping) and config:
            return _of_attribute(architecture, name, config)
    return usual(inputs.shape_of(architecture.input_shape, model))


def _of_attribute(architecture: Architecture, name: str, config: Mapping[str, Any]) -> Preprocessing:
    try:
        return of_timm(config, note=f"of the network's {name}")
    except (TypeError, ValueError, ArithmeticError) as problem:
        raise Unusable(
            f"{architecture.name}: its {name} does not say how images are prepared: {problem}: mend it, or remove it"
        ) from problem


def usual(shape: Any) -> Preprocessing:
    """How images are usually prepared for ImageNet, at the input ``shape`` = (channels, height, width); 3 x 224 x 224
    where it is none. Channels that are not three have the means of the three.
    """
    is_image = inputs.is_shape(shape) and len(shape) == 3
    channels, height, width = map(int, shape if is_image else inputs.DEFAULT_SHAPE)
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.449,) * channels, (0.226,) * channels)
    resize = (math.floor(height / USUAL_CROP), math.floor(width / USUAL_CROP))
    return Preprocessing((height, width), resize[0] if height == width else resize, mean, std, note="assumed")
