"""The weights that belong to a network: which file or which published ones, read without running code, and loaded.

A file that the user gave comes first, then what was published, then what the user's own factory makes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_archbench import inputs
from pytest_archbench.protocols import Missing, Preprocessing, Unusable, Weights
from pytest_archbench.registry import near
from pytest_archbench.weights.files import Stored, read_state, sha256_of, some, stored, suffix
from pytest_archbench.weights.fitting import filled, first_that_fits, require_sizes
from pytest_archbench.weights.preparation import of_timm, usual

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pytest_archbench.protocols import Learning
    from pytest_archbench.records import Architecture, Baseline

__all__ = ["Loaded", "from_file", "loaded", "of_timm", "read_state", "speaks_of", "usual"]

FACTORY = "as its factory makes them"
DIGITS_OF_DIGEST = 16
_NAMED_DIGEST = re.compile(r"-([0-9a-f]{8,})(?=\.)")


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


def loaded(architecture: Architecture, learning: Learning) -> Loaded:
    """The network with the weights that belong to it.

    Raises: Missing where there are none, Unusable where they are damaged, ambiguous or another network's, or a folder
    of weights was given and has none for a network of the user's own.
    """
    published = list(architecture.weights()) if architecture.weights else []
    given = _given(architecture, published, learning)
    if given is not None:
        path, known = given
        return _of_published(architecture, known, path) if known else _of_file(architecture, published, path)
    if architecture.recipe is not None:
        raise Missing(f"not trained yet, and no file of its weights was given{_looked(learning)}")
    if published:
        weights = _chosen(published, learning.weights_tag)
        return _of_published(architecture, weights, _cached(weights, learning))
    if architecture.is_users_own:
        _require_no_folder(architecture, learning)
        return _as_made(architecture, learning.seed)
    raise Missing(
        f"no weights are published for it{_looked(learning)}: give a file {architecture.name}.pth "
        "or .safetensors with --archbench-weights DIR"
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
    return [(path, path.name.removesuffix(s)) for path in files if (s := suffix(path.name))]


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
    return file.removesuffix(suffix(file))


def _names_of(architecture: Architecture, weights: Weights) -> set[str]:
    """Names, without what says the format, that a file of exactly these weights may have."""
    tagged = {f"{own}.{weights.tag}" for own in _own_names(architecture, [weights]) if weights.tag}
    return {weights.name, *tagged, _published_stem(weights)} - _own_names(architecture, [weights])


def _chosen(published: Sequence[Weights], tags: Sequence[str]) -> Weights:
    """The first with one of the tags that were asked for, in their order; the first of all where none was."""
    wanted = [weights for tag in tags for weights in published if tag in (weights.tag, weights.name)]
    if tags and not wanted:
        known = near(tags[0], [weights.tag or weights.name for weights in published])
        raise Missing(f"no published weights have the tag {' or '.join(tags)}: {known}")
    return (wanted or list(published))[0]


def _looked(learning: Learning) -> str:
    return f" ({learning.weights} has no file that is named after it)" if learning.weights else ""


def _cached(weights: Weights, learning: Learning) -> Path:
    path = weights.file(learning.download)
    if path is None:
        raise Missing(
            f"{weights.name} is not on this host: looked in {_cache_of(weights)} for "
            f"{weights.address}{_looked(learning)}: fetch it with --archbench-download, put it there, or give a file "
            f"{weights.name}.pth or .safetensors with --archbench-weights DIR"
        )
    return path


def _cache_of(weights: Weights) -> str:
    from huggingface_hub import constants
    from torch import hub

    hugging_face = weights.address.startswith("https://huggingface.co/")
    return str(constants.HF_HUB_CACHE if hugging_face else Path(hub.get_dir()) / "checkpoints")


def _of_published(architecture: Architecture, weights: Weights, path: Path) -> Loaded:
    digest = sha256_of(path)
    _check_digest(path, digest, weights)
    found = stored(path)
    model = first_that_fits(_builders(architecture, weights, found), architecture, found, path)
    facts = {"weights": weights.name, **_facts(path, digest, found), "classes": weights.classes}
    return Loaded(_ready(model), weights.preprocessing, weights.name, weights.tag, facts)


def _of_file(architecture: Architecture, published: Sequence[Weights], path: Path) -> Loaded:
    """A file that names no published weights: prepared for as the recipe says, or as those are that come first."""
    found = stored(path)
    first = next(iter(published), None)
    builders = [*(_builders(architecture, first, found) if first else []), filled(architecture, found)]
    model = _ready(first_that_fits(builders, architecture, found, path))
    facts = {"weights": path.name, **_facts(path, sha256_of(path), found), "classes": _classes(model)}
    return Loaded(model, _assumed(architecture, first, model), path.name, "", facts)


def _require_no_folder(architecture: Architecture, learning: Learning) -> None:
    """Who gives a folder means the weights in it, not what a factory makes of chance."""
    if not learning.weights:
        return
    folder = Path(learning.weights).expanduser()
    there = some([path.name for path, _ in _files(folder)]) or "no file of weights"
    name = architecture.name
    raise Unusable(
        f"{folder}: expected a file of weights for {name}; got {there}: name its file {name}.pth or .safetensors, or "
        "leave out --archbench-weights for what its factory makes"
    )


def _as_made(architecture: Architecture, seed: int) -> Loaded:
    import torch

    torch.manual_seed(seed)  # a factory without weights makes the same ones in every run
    model = _ready(architecture.build())
    require_sizes(model)
    facts = {"weights": FACTORY, "sha256": _digest_of(model), "classes": _classes(model)}
    return Loaded(model, _assumed(architecture, None, model), FACTORY, "", facts)


def _builders(architecture: Architecture, weights: Weights, found: Stored) -> list[Callable[[], Any]]:
    build = weights.build
    return [filled(architecture, found)] if build is None else [lambda: build(found.state)]


def _digest_of(model: nn.Module) -> str:
    """The first digits of SHA-256 over a network's tensors: equal for equal weights."""
    digest = hashlib.sha256()
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        digest.update(name.encode())
        digest.update(_bytes(value))
    return digest.hexdigest()[:DIGITS_OF_DIGEST]


def _bytes(value: Tensor) -> bytes:
    """Of a tensor's values in their order, however it keeps them."""
    import torch

    dense = value.detach().to_dense() if value.layout != torch.strided else value.detach()
    return dense.resolve_conj().resolve_neg().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


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
            return _of_attribute(name, config)
    return usual(inputs.shape_of(architecture.input_shape, model))


def _of_attribute(name: str, config: Mapping[str, Any]) -> Preprocessing:
    try:
        return of_timm(config, note=f"of the network's {name}")
    except (TypeError, ValueError, ArithmeticError) as problem:
        raise Unusable(
            f"its {name} does not say how images are prepared: {problem}: mend it, or remove it"
        ) from problem
