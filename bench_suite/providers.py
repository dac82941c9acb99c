"""torchvision and timm as providers: what each lists, read from its source files, how one of its models is built, and
which weights it publishes.

Listing imports neither library (nor torch): a run that only collects must not pay for them.
"""

from __future__ import annotations

import importlib.util
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlparse

from pytest_archbench import weights
from pytest_archbench.protocols import Missing, Preprocessing, Unusable, Weights
from pytest_archbench.records import Architecture

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[], Any]
Published = Callable[[], list[Weights]]
Shape = tuple[int, int, int]

TORCHVISION_SETTINGS: dict[str, dict[str, Any]] = {
    # Both warn unless told whether to draw their slow initial weights. GoogLeNet's auxiliary heads are dropped as soon
    # as its weights are loaded, and its published parameter count has none; Inception-v3 keeps its head in both.
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"init_weights": True},
    # The size is part of the network, and the first of its weights are for 518 pixels.
    "vit_h_14": {"image_size": 518},
}
"""Arguments without which torchvision does not build the network it publishes figures of."""

TORCHVISION_TRAINED: dict[str, dict[str, Any]] = {
    # Their weights come from TensorFlow, whose images are scaled otherwise than the preprocessing says.
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}
"""Arguments that torchvision gives these networks beside the others where they have weights."""

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""What the parameters of heads that only serve training begin with: files have them, networks without them need not."""

TORCHVISION_CROPS = {
    "efficientnet_b1": 240,
    "efficientnet_b2": 288,
    "efficientnet_b3": 300,
    "efficientnet_b4": 380,
    "efficientnet_b5": 456,
    "efficientnet_b6": 528,
    "efficientnet_b7": 600,
    "efficientnet_v2_l": 480,
    "efficientnet_v2_m": 480,
    "efficientnet_v2_s": 384,
    "inception_v3": 299,
    "regnet_y_128gf": 384,
    "swin_v2_b": 256,
    "swin_v2_s": 256,
    "swin_v2_t": 256,
    "vit_h_14": 518,
}
"""Crop in pixels of each model's first weights, at which its operations are published, where it is not 224."""

HUGGING_FACE = "https://huggingface.co"
IMAGENET_CLASSES = 1000

# Names in the files of DenseNets are from before names of modules had no dots: `norm.1.` is `norm1.`.
_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
_NAMED_DIGEST = re.compile(r"-([0-9a-f]{8,})\.")
# torchvision writes `@register_model()` or `@register_model(name="vit_b_16")`, timm `@register_model`.
_REGISTRATION = re.compile(r'^@register_model(?:\((?:name="(\w+)")?\))?\n(?:@.+\n)*def (\w+)\(', re.MULTILINE)


class MissingLibrary(ModuleNotFoundError):
    """A provider is not installed."""


class Listed(NamedTuple):
    """A model in a provider's registry: its ``name`` there, and the stem of the ``file`` that defines it."""

    name: str
    file: str


def torchvision_model(name: str, **settings: Any) -> Build:
    """A picklable constructor of torchvision's ``name`` without weights; torchvision is imported when it is called."""
    return partial(_build_torchvision, name, **(TORCHVISION_SETTINGS.get(name, {}) | settings))


def timm_model(name: str, **settings: Any) -> Build:
    """A picklable constructor of timm's ``name`` without weights; timm is imported when it is called."""
    return partial(_build_timm, name, **settings)


def torchvision_weights(name: str, **settings: Any) -> Published:
    """A picklable list of the weights that torchvision publishes for ``torchvision_model(name, **settings)``, in its
    own order: first those that its papers' figures and ``TORCHVISION_CROPS`` are about.
    """
    return partial(_published_by_torchvision, name, **(TORCHVISION_SETTINGS.get(name, {}) | settings))


def timm_weights(name: str, **settings: Any) -> Published:
    """A picklable list of the weights that timm publishes for ``timm_model(name, **settings)``: those for ImageNet's
    1,000 classes, timm's default among them first, then the others that classify.
    """
    return partial(_published_by_timm, name, **settings)


def torchvision_entry(
    name: str, family: str, model: str = "", settings: Mapping[str, Any] | None = None, **fields: Any
) -> Architecture:
    """The entry of torchvision's own ``model`` (``name`` where it is called the same) with its weights."""
    theirs, chosen = model or name, settings or {}
    build, published = torchvision_model(theirs, **chosen), torchvision_weights(theirs, **chosen)
    return Architecture(name, family, build, provider="torchvision", weights=published, **fields)


def timm_entry(name: str, family: str, model: str = "", **fields: Any) -> Architecture:
    """The entry of timm's own ``model`` (``name`` where it is called the same) with its weights."""
    theirs = model or name
    return Architecture(name, family, timm_model(theirs), provider="timm", weights=timm_weights(theirs), **fields)


def torchvision_input(name: str) -> Shape:
    """``(channels, height, width)`` at which torchvision publishes the operations of ``name``."""
    crop = TORCHVISION_CROPS.get(name, 224)
    return (3, crop, crop)


def torchvision_models() -> list[Listed]:
    """Every classification model that torchvision registers, by name; raises MissingLibrary."""
    return sorted(_registered("torchvision"))


def timm_models() -> list[Listed]:
    """Every model that timm registers, deprecated names left out, by name; raises MissingLibrary."""
    return sorted(_registered("timm"))


def _build_torchvision(name: str, **settings: Any) -> nn.Module:
    from torchvision.models import get_model

    model: nn.Module = get_model(name, weights=None, **settings)
    return model


def _build_timm(name: str, **settings: Any) -> nn.Module:
    from timm import create_model

    model: nn.Module = create_model(name, pretrained=False, **settings)
    return model


def _published_by_torchvision(name: str, **settings: Any) -> list[Weights]:
    from torchvision.models import get_model_weights

    return [  # an enum lists no aliases, such as DEFAULT
        Weights(
            name=repr(each),
            tag=each.name,
            provider="torchvision",
            preprocessing=_of_torchvision(each.transforms()),
            classes=len(each.meta["categories"]),
            address=each.url,
            file=partial(hub_file, each.url),
            build=partial(_trained_torchvision, name, {**settings, **_trained_settings(name, each.meta)}),
        )
        for each in get_model_weights(name)
        if each.meta["categories"]  # some have features alone
    ]


def _of_torchvision(preset: Any) -> Preprocessing:
    (crop,), (resize,) = preset.crop_size, preset.resize_size
    mean, std = tuple(preset.mean), tuple(preset.std)
    return Preprocessing((crop, crop), resize, mean, std, interpolation=preset.interpolation.value)


def _trained_settings(name: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the network that weights are for; a transformer's size is that of its weights."""
    size = {"image_size": meta["min_size"][0]} if name.startswith("vit_") else {}
    return TORCHVISION_TRAINED.get(name, {}) | size


def _trained_torchvision(name: str, settings: Mapping[str, Any], state: Mapping[str, Any]) -> nn.Module:
    """Raises RuntimeError where the parameters are another network's."""
    model = _build_torchvision(name, **settings)
    wanted = model.state_dict()
    present = {_DENSE_LAYER.sub(r"\1\2", key): value for key, value in state.items()}
    fitting = OrderedDict(
        (key, value) for key, value in present.items() if key in wanted or not key.startswith(AUXILIARY)
    )
    # MNASNet asks its file for the version of the network, which safetensors do not keep: the present one, then.
    fitting._metadata = getattr(state, "_metadata", None) or {"": wanted._metadata[""]}  # type: ignore[attr-defined]
    model.load_state_dict(fitting)
    return model


def _published_by_timm(name: str, **settings: Any) -> list[Weights]:
    from timm import list_pretrained

    tagged = {each: _timm_cfg(each) for each in list_pretrained(name)}
    classifying = [each for each, cfg in tagged.items() if cfg.num_classes]
    default = _timm_cfg(name).tag if tagged else ""
    classifying.sort(key=lambda each: (tagged[each].num_classes != IMAGENET_CLASSES, tagged[each].tag != default))
    return [_of_timm(each, tagged[each], settings) for each in classifying]


def _timm_cfg(name: str) -> Any:
    from timm.models import get_pretrained_cfg

    return get_pretrained_cfg(name)


def _of_timm(name: str, cfg: Any, settings: Mapping[str, Any]) -> Weights:
    from timm.data.config import resolve_data_config

    config = resolve_data_config(pretrained_cfg=cfg.to_dict(), use_test_size=True)  # type: ignore[no-untyped-call]
    return Weights(
        name=name,
        tag=cfg.tag or "",
        provider="timm",
        preprocessing=weights.of_timm(config),
        classes=cfg.num_classes,
        address=f"{HUGGING_FACE}/{cfg.hf_hub_id}" if cfg.hf_hub_id else cfg.url,
        file=partial(_timm_file, name),
        build=partial(_trained_timm, name, dict(settings)),
    )


def _timm_file(name: str, fetch: bool) -> Path | None:
    """Where timm looks itself. Raises: Missing for arrays of another framework, which timm converts as it reads."""
    cfg = _timm_cfg(name)
    if cfg.hf_hub_id:
        return hugging_face_file(cfg.hf_hub_id, cfg.hf_hub_filename or "pytorch_model.bin", fetch)
    if cfg.custom_load:
        raise Missing(
            f"{name}: its weights are arrays of another framework ({cfg.url}): load them with timm, save the network's "
            f"state as {name}.safetensors, and give it with --archbench-weights DIR"
        )
    return hub_file(cfg.url, fetch)


def _trained_timm(name: str, settings: Mapping[str, Any], state: Mapping[str, Any]) -> nn.Module:
    """timm's own loading, which renames and reshapes what its networks had otherwise before, of a state in memory."""
    from timm import create_model

    overlay = {"state_dict": dict(state), "custom_load": False}
    model: Any = create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **settings)
    del model.pretrained_cfg["state_dict"]  # a second copy of every parameter
    return model  # type: ignore[no-any-return]


def hub_file(url: str, fetch: bool) -> Path | None:
    """Where torch.hub keeps the file of an address, or None where it is not there; fetched, where that is asked for,
    and whole then. Raises: Missing where it cannot be fetched, Unusable where its digest is not the one in its name.
    """
    from torch import hub

    name = Path(urlparse(url).path).name
    path = Path(hub.get_dir()) / "checkpoints" / name
    if path.is_file() or not fetch:
        return path if path.is_file() else None
    digest = _NAMED_DIGEST.search(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hub.download_url_to_file(url, str(path), digest and digest[1], progress=False)
    except RuntimeError as problem:
        raise Unusable(f"{url}: {problem}: what was fetched is not what was published; try again later") from problem
    except (OSError, HTTPException) as problem:
        raise _unfetched(url, path, problem) from problem
    return path


def hugging_face_file(repository: str, name: str, fetch: bool) -> Path | None:
    """Where Hugging Face's cache keeps a file of weights, the safe form of it first; None where it has neither.
    ``repository`` may end in ``@`` and a revision. Raises: Missing where it cannot be fetched.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repo, _, revision = repository.partition("@")
    for each in _forms(name):
        found = try_to_load_from_cache(repo, each, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    for each in _forms(name) if fetch else ():
        try:
            return Path(hf_hub_download(repo, each, revision=revision or None))
        except LocalEntryNotFoundError as problem:  # neither here nor can the other side be asked
            raise _unfetched(f"{HUGGING_FACE}/{repo}", Path(each), problem) from problem
        except EntryNotFoundError:
            continue
        except (OSError, HTTPException) as problem:
            raise _unfetched(f"{HUGGING_FACE}/{repo}", Path(each), problem) from problem
    return None


def _forms(name: str) -> list[str]:
    """Names of one file on Hugging Face, safetensors before a pickle."""
    safe = {"pytorch_model.bin": "model.safetensors"}.get(name, name.removesuffix(".bin") + ".safetensors")
    return [safe, name] if name.endswith(".bin") else [name]


def _unfetched(address: str, path: Path, problem: Exception) -> Missing:
    said = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
    return Missing(f"{address}: cannot be fetched ({said}): put {path.name} into the cache by hand, or try again later")


def _registered(library: str) -> Iterator[Listed]:
    """Registrations in the files of ``library/models``; detection, video and quantised models lie in folders below."""
    for file in (_root(library) / "models").glob("*.py"):
        for given, function in _REGISTRATION.findall(file.read_text(encoding="utf-8")):
            yield Listed(given or function, file.stem)


def _root(library: str) -> Path:
    """Where a library is installed; finding a top-level package does not import it."""
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise MissingLibrary(f"suite {library!r} needs the package {library}: pip install {library}", name=library)
    return Path(spec.submodule_search_locations[0])
