"""Weights that torchvision and timm publish: their preprocessing, their files in real caches, and their own figures."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.transforms import InterpolationMode
from torchvision.transforms import transforms as steps

from bench_suite import providers, suites
from pytest_archbench import baselines, weights
from pytest_archbench.protocols import Learning, Missing, Preprocessing, Unusable, Weights
from pytest_archbench.records import Architecture, Baseline
from pytest_archbench.registry import ARCHITECTURES
from pytest_archbench.weights.preparation import IMAGENET_MEAN, IMAGENET_STD

PUBLISHED = Path(__file__).parents[2] / "baselines" / "published"
SMALL_TIMM = "test_resnet"
SMALL_TIMM_NAME = "test_resnet.r160_in1k"


def timm_cfg(name: str) -> Any:
    return timm.models.get_pretrained_cfg(name)


@cache
def torchvision_entries() -> dict[str, Architecture]:
    return {entry.name: entry for entry in suites.torchvision_suite()}


@cache
def timm_entries() -> dict[str, Architecture]:
    return {entry.name: entry for entry in suites.timm_suite()}


@cache
def every(provider: str) -> list[tuple[Architecture, Weights]]:
    """All of a provider's weights with their networks."""
    entries = {"torchvision": torchvision_entries, "timm": timm_entries}[provider]().values()
    return [(entry, each) for entry in entries for each in (entry.weights or list)()]


@cache
def accuracies() -> dict[tuple[str, str], list[Baseline]]:
    """Published top-1 and top-5 accuracies by network and metric."""
    found = baselines.load(PUBLISHED).baselines
    return {key: list(figures) for key, figures in found.items() if key[1] in ("top1_accuracy", "top5_accuracy")}


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """With parameters and running statistics that make every layer tell."""
    torch.manual_seed(seed)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if "var" in name else value.normal_(0, 0.1)
    return model.eval()


@pytest.fixture
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hugging Face's cache, empty; its place is read when the library is imported."""
    folder = tmp_path / "huggingface" / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def put(cache_folder: Path, repository: str, name: str, state: dict[str, Tensor]) -> Path:
    """A file as ``hf_hub_download`` leaves it: a blob, a snapshot of a commit with a link to it, and the commit that
    ``main`` is.
    """
    commit = "0123456789abcdef0123456789abcdef01234567"
    root = cache_folder / f"models--{repository.replace('/', '--')}"
    for folder in ("refs", "blobs", f"snapshots/{commit}"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(commit)
    blob = root / "blobs" / f"blob-of-{name}"
    save_file(state, blob) if name.endswith(".safetensors") else torch.save(state, blob)
    link = root / "snapshots" / commit / name
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


# What is listed


def test_entries_with_weights_go_to_other_processes() -> None:
    for entries in (torchvision_entries(), timm_entries()):
        listed = list(entries.values())
        assert pickle.loads(pickle.dumps(listed)) is not None
        assert all(entry.weights is not None for entry in listed)


def test_listing_entries_with_weights_imports_no_library() -> None:
    program = (
        "import sys\nfrom bench_suite import suites\n"
        "entries = [*suites.torchvision_suite(), *suites.timm_suite()]\n"
        "heavy = {'torch', 'torchvision', 'timm', 'numpy', 'safetensors', 'huggingface_hub'}\n"
        "print(len(entries) > 1000, sorted(heavy & sys.modules.keys()))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "True []"


def test_seeds_have_the_weights_of_the_very_network() -> None:
    list(suites.seeds())
    first = {
        name: entry.weights()[0].name
        for name in ("alexnet", "resnet50", "se_resnet50", "xception", "inception_v3", "mobilenet_v2_140", "dpn92")
        if (entry := ARCHITECTURES[name]).weights
    }
    assert first == {
        "alexnet": "AlexNet_Weights.IMAGENET1K_V1",
        "resnet50": "ResNet50_Weights.IMAGENET1K_V1",
        "se_resnet50": "legacy_seresnet50.in1k",
        "xception": "legacy_xception.tf_in1k",
        "inception_v3": "Inception_V3_Weights.IMAGENET1K_V1",
        "mobilenet_v2_140": "mobilenetv2_140.ra_in1k",
        "dpn92": "dpn92.mx_in1k",
    }


@pytest.mark.parametrize(
    "name",
    ["caffe_resnet50", "fb_resnet152", "densenet264", "mobilenet_v2_130", "mobilenet_v2_100_192", "googlenet_caffe"],
)
def test_a_network_that_is_no_library_s_own_has_none(name: str) -> None:
    list(suites.variants())
    assert ARCHITECTURES[name].weights is None


def test_every_seed_with_weights_builds_what_its_library_builds() -> None:
    list(suites.seeds())
    for entry in ARCHITECTURES.values():
        if entry.weights and entry.weights():
            assert getattr(entry.build, "func", None) in (providers._build_torchvision, providers._build_timm)


# torchvision


def test_aliases_are_left_out_and_the_first_weights_are_those_of_the_crops() -> None:
    listed = every("torchvision")
    assert len(listed) == len({each.name for _, each in listed})
    assert not [each.name for _, each in listed if each.tag == "DEFAULT"]
    for name, entry in torchvision_entries().items():
        assert entry.weights is not None
        assert entry.weights()[0].preprocessing.crop[0] == providers.torchvision_input(name)[1]


def test_features_without_a_classifier_are_no_weights() -> None:
    assert [each.tag for each in providers.torchvision_weights("vgg16")()] == ["IMAGENET1K_V1"]


def test_preprocessing_is_torchvision_s_own() -> None:
    names = {each.name: each for _, each in every("torchvision")}
    for name in torchvision_entries():
        for theirs in get_model_weights(name):
            if repr(theirs) in names:
                preset, ours = theirs.transforms(), names[repr(theirs)].preprocessing
                assert [ours.crop, ours.resize] == [(preset.crop_size[0],) * 2, preset.resize_size[0]]
                assert [*ours.mean, *ours.std] == [*preset.mean, *preset.std]
                assert InterpolationMode(ours.interpolation) == preset.interpolation
                assert ours.fit == "center"


def test_a_file_in_torch_s_cache_is_found_only_by_its_name(torch_home: Path) -> None:
    (published,) = providers.torchvision_weights("squeezenet1_1")()
    assert published.file(False) is None
    file = torch_home / "squeezenet1_1-b8a52dc0.pth"
    torch.save(get_model("squeezenet1_1").state_dict(), file)
    assert published.file(False) == file


def test_another_file_by_a_published_name_is_refused(torch_home: Path) -> None:
    torch.save(get_model("squeezenet1_1").state_dict(), torch_home / "squeezenet1_1-b8a52dc0.pth")
    with pytest.raises(Unusable, match=r"expected a SHA-256 that begins with b8a52dc0; got [0-9a-f]{16}: fetch"):
        weights.loaded(torchvision_entries()["squeezenet1_1"], Learning())


def test_weights_that_are_not_cached_are_missing_with_their_address(torch_home: Path) -> None:
    with pytest.raises(Missing) as error:
        weights.loaded(torchvision_entries()["squeezenet1_1"], Learning())
    assert str(torch_home) in str(error.value)
    assert "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth" in str(error.value)
    assert "--archbench-download" in str(error.value)


def test_a_file_is_fetched_whole_into_torch_s_cache(torch_home: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    source = tmp_path / f"net-{digest}.pth"
    source.write_bytes(b"weights")
    assert providers.hub_file(source.as_uri(), fetch=False) is None
    fetched = providers.hub_file(source.as_uri(), fetch=True)
    assert fetched == torch_home / source.name
    assert fetched.read_bytes() == b"weights"


def test_a_fetched_file_of_another_digest_is_refused_and_not_kept(torch_home: Path, tmp_path: Path) -> None:
    source = tmp_path / "net-00000000.pth"
    source.write_bytes(b"weights")
    with pytest.raises(Unusable, match=r"net-00000000.pth: invalid hash value"):
        providers.hub_file(source.as_uri(), fetch=True)
    assert list(torch_home.iterdir()) == []


def test_a_file_that_cannot_be_fetched_is_missing(torch_home: Path, tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"nothing.pth: cannot be fetched \("):
        providers.hub_file((tmp_path / "nothing.pth").as_uri(), fetch=True)


def built(name: str, state: dict[str, Tensor], **settings: Any) -> nn.Module:
    build = providers.torchvision_weights(name, **settings)()[0].build
    assert build is not None
    model: nn.Module = build(state)
    return model.eval()


def theirs(name: str, state: dict[str, Tensor], folder: Path, **settings: Any) -> nn.Module:
    """torchvision's own network with a state that lies in its cache as if it were published."""
    first = next(iter(get_model_weights(name)))
    torch.save(state, folder / first.url.rsplit("/", 1)[-1])
    model: nn.Module = get_model(name, weights=first, **settings)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("squeezenet1_1", 64),
        ("mobilenet_v3_small", 64),
        ("mnasnet0_5", 64),
        ("googlenet", 64),
        pytest.param("inception_v3", 128, marks=pytest.mark.slow),
        pytest.param("vit_b_32", 224, marks=pytest.mark.slow),
        pytest.param("densenet121", 64, marks=pytest.mark.slow),
    ],
)
def test_a_network_with_weights_answers_as_torchvision_s_does(torch_home: Path, name: str, side: int) -> None:
    unlearned = {"init_weights": False} if name in providers.TORCHVISION_TRAINED else {}
    state = randomised(get_model(name, **unlearned)).state_dict()
    image = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(built(name, state)(image), theirs(name, state, torch_home)(image))


def test_the_seed_s_inception_drops_the_auxiliary_head() -> None:
    with_head = get_model("inception_v3", init_weights=False)
    model = built("inception_v3", with_head.state_dict(), aux_logits=False)
    assert model.AuxLogits is None
    assert model.transform_input is True
    assert set(with_head.state_dict()) - set(model.state_dict()) == {
        name for name in with_head.state_dict() if name.startswith("AuxLogits.")
    }


def test_names_in_old_files_of_densenets_are_mended() -> None:
    state = get_model("densenet121").state_dict()
    old = {
        name.replace("norm1.", "norm.1.")
        .replace("norm2.", "norm.2.")
        .replace("conv1.", "conv.1.")
        .replace("conv2.", "conv.2.")
        if "denselayer" in name
        else name: value
        for name, value in state.items()
    }
    assert old.keys() != state.keys()
    ours = built("densenet121", old).state_dict()
    assert all(torch.equal(ours[name], value) for name, value in state.items())


def test_a_transformer_is_built_for_the_size_of_its_weights() -> None:
    sizes = {
        each.tag: each.build.args[1]["image_size"]  # type: ignore[union-attr]
        for name in ("vit_b_16", "vit_h_14")
        for each in providers.torchvision_weights(name)()
        if each.preprocessing.crop[0] != 224
    }
    assert sizes == {"IMAGENET1K_SWAG_E2E_V1": 518}
    assert {
        each.build.args[1]["image_size"] == each.preprocessing.crop[0]  # type: ignore[union-attr]
        for entry, each in every("torchvision")
        if entry.family == "vision_transformer"
    } == {True}


def test_a_safetensors_file_of_mnasnet_fits_though_it_keeps_no_version(tmp_path: Path) -> None:
    state = randomised(get_model("mnasnet0_5")).state_dict()
    save_file(state, tmp_path / "mnasnet0_5.safetensors")
    found = weights.loaded(torchvision_entries()["mnasnet0_5"], Learning(weights=str(tmp_path)))
    assert torch.equal(found.model.state_dict()["classifier.1.weight"], state["classifier.1.weight"])
    assert found.preprocessing.note == "assumed: of MNASNet0_5_Weights.IMAGENET1K_V1"


def test_a_users_file_of_other_classes_is_refused(tmp_path: Path) -> None:
    torch.save(get_model("squeezenet1_1", num_classes=100).state_dict(), tmp_path / "squeezenet1_1.pth")
    with pytest.raises(Unusable, match=r"not weights of squeezenet1_1: expected 1000 outputs; the file has 100"):
        weights.loaded(torchvision_entries()["squeezenet1_1"], Learning(weights=str(tmp_path)))


def test_a_users_file_by_the_enum_s_name_is_those_weights(tmp_path: Path) -> None:
    model = randomised(get_model("squeezenet1_1"))
    torch.save({"state_dict": model.state_dict()}, tmp_path / "SqueezeNet1_1_Weights.IMAGENET1K_V1.pth.tar")
    found = weights.loaded(torchvision_entries()["squeezenet1_1"], Learning(weights=str(tmp_path)))
    assert (found.name, found.tag) == ("SqueezeNet1_1_Weights.IMAGENET1K_V1", "IMAGENET1K_V1")
    assert found.preprocessing == Preprocessing((224, 224), 256, IMAGENET_MEAN, IMAGENET_STD)
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(found.model(image), model(image))


# timm


def test_the_default_tag_is_first_among_those_for_imagenet() -> None:
    listed = [each.name for each in providers.timm_weights("resnet50")()]
    assert listed[0] == "resnet50.a1_in1k"
    assert set(listed) <= set(timm.list_pretrained("resnet50"))
    classes = [each.classes for each in providers.timm_weights("vit_base_patch16_224")()]
    assert classes == sorted(classes, key=lambda count: count != 1000)


def test_what_classifies_nothing_is_no_weights() -> None:
    assert timm_cfg("vit_small_patch14_dinov2").num_classes == 0
    assert providers.timm_weights("vit_small_patch14_dinov2")() == []
    assert all(each.classes for _, each in every("timm"))


def test_no_weights_for_a_fixed_size_are_evaluated_at_another() -> None:
    fixed = [name for name in timm.list_pretrained() if timm_cfg(name).fixed_input_size]
    assert len(fixed) > 100
    sizes = {name: timm_cfg(name) for name in fixed}
    assert [name for name, cfg in sizes.items() if cfg.test_input_size not in (None, cfg.input_size)] == []


def of_transform(transform: Any) -> tuple[Any, ...]:
    """What timm's evaluation transform does: resize, its interpolation, crop, mean and std."""
    resize, crop, _, normalise = transform.transforms
    mode = resize.interpolation
    if isinstance(resize, steps.Resize):
        size = resize.size if isinstance(resize.size, int) else tuple(resize.size)
    else:
        size = tuple(resize.size)
    return size, getattr(mode, "value", mode), tuple(crop.size), normalise.mean.tolist(), normalise.std.tolist()


def test_preprocessing_is_that_of_timm_s_own_transform() -> None:
    checked = Counter[str]()
    listed = {each.name: each for _, each in every("timm")}
    for name in timm.list_pretrained():
        cfg = timm_cfg(name).to_dict()
        config = resolve_data_config(pretrained_cfg=cfg, use_test_size=True)  # type: ignore[no-untyped-call]
        ours = weights.of_timm(cfg)
        assert name not in listed or listed[name].preprocessing == ours
        floats = torch.tensor(ours.mean).tolist(), torch.tensor(ours.std).tolist()
        theirs = of_transform(create_transform(**config, is_training=False))
        assert (ours.resize, ours.interpolation, ours.crop, *floats) == theirs, name
        assert ours.fit == config["crop_mode"]
        checked[ours.fit] += 1
    assert set(checked) == {"center", "squash", "border"}
    assert sum(checked.values()) > 1000


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (SMALL_TIMM_NAME, "model.safetensors"),
        (SMALL_TIMM_NAME, "pytorch_model.bin"),
        ("test_vit.r160_in1k", "model.safetensors"),
    ],
)
def test_weights_come_from_hugging_face_s_cache(hugging_face: Path, name: str, file: str) -> None:
    model = randomised(timm.create_model(name))
    link = put(hugging_face, f"timm/{name}", file, model.state_dict())
    found = weights.loaded(timm_entries()[name.partition(".")[0]], Learning())
    assert (found.name, found.tag, found.facts["file"]) == (name, "r160_in1k", file)
    assert found.facts["sha256"] == hashlib.sha256(link.read_bytes()).hexdigest()[:16]
    assert found.preprocessing.crop == (160, 160)
    assert "state_dict" not in found.model.pretrained_cfg  # type: ignore[operator]
    image = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(found.model(image), model(image))


def test_safetensors_are_taken_before_a_pickle(hugging_face: Path) -> None:
    state = timm.create_model(SMALL_TIMM).state_dict()
    put(hugging_face, f"timm/{SMALL_TIMM_NAME}", "pytorch_model.bin", state)
    put(hugging_face, f"timm/{SMALL_TIMM_NAME}", "model.safetensors", state)
    found = providers.timm_weights(SMALL_TIMM)()[0].file(False)
    assert found is not None
    assert found.name == "model.safetensors"


def test_the_same_file_gives_what_timm_itself_loads(hugging_face: Path, tmp_path: Path) -> None:
    state = randomised(timm.create_model("test_vit")).state_dict()
    save_file(state, tmp_path / "a.safetensors")
    put(hugging_face, "timm/test_vit.r160_in1k", "model.safetensors", state)
    own = timm.create_model(
        "test_vit", pretrained=True, pretrained_cfg_overlay={"file": str(tmp_path / "a.safetensors")}
    )
    image = torch.rand(2, 3, 160, 160)
    with torch.inference_mode():
        assert torch.equal(weights.loaded(timm_entries()["test_vit"], Learning()).model(image), own.eval()(image))


def test_what_is_not_in_hugging_face_s_cache_is_missing(hugging_face: Path) -> None:
    with pytest.raises(Missing) as error:
        weights.loaded(timm_entries()[SMALL_TIMM], Learning())
    assert f"looked in {hugging_face} for https://huggingface.co/timm/{SMALL_TIMM_NAME}:" in str(error.value)


def test_what_cannot_be_fetched_from_hugging_face_is_missing(
    hugging_face: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # as its environment variable does, read at import
    with pytest.raises(Missing, match=r"huggingface.co/timm/test_resnet.r160_in1k: cannot be fetched \("):
        weights.loaded(timm_entries()[SMALL_TIMM], Learning(download=True))


def test_another_network_s_file_is_refused(hugging_face: Path) -> None:
    put(hugging_face, f"timm/{SMALL_TIMM_NAME}", "model.safetensors", timm.create_model("test_vit").state_dict())
    with pytest.raises(Unusable, match=r"model.safetensors: not weights of test_resnet: expected its \d+ tensors; got"):
        weights.loaded(timm_entries()[SMALL_TIMM], Learning())


def test_weights_with_an_address_of_their_own_lie_in_torch_s_cache(torch_home: Path) -> None:
    list(suites.seeds())
    (published,) = (ARCHITECTURES["se_resnet50"].weights or list)()
    assert published.file(False) is None
    (torch_home / "se_resnet50-ce0d4300.pth").write_bytes(b"")
    assert published.file(False) == torch_home / "se_resnet50-ce0d4300.pth"


# Whose figures they are


def own_figures(entry: Architecture, each: Weights, metric: str) -> list[Baseline]:
    keys = {baselines.key_of(entry), entry.topology}
    figures = [figure for key in keys for figure in accuracies().get((key, metric), ())]
    return [figure for figure in figures if weights.speaks_of(figure, each.name, each.tag)]


@pytest.mark.parametrize(("metric", "printed"), [("top1_accuracy", "acc@1"), ("top5_accuracy", "acc@5")])
def test_every_torchvision_weights_find_their_own_figure(metric: str, printed: str) -> None:
    for entry, each in every("torchvision"):
        enum = next(one for one in get_model_weights(entry.name) if repr(one) == each.name)
        figures = own_figures(entry, each, metric)
        assert figures, each.name
        for figure in figures:
            assert figure.value == pytest.approx(enum.meta["_metrics"]["ImageNet-1K"][printed] / 100, abs=1e-12)
            assert figure.input_size == each.preprocessing.crop[0]


def test_most_timm_weights_for_imagenet_find_their_own_figure() -> None:
    found = Counter[str]()
    for entry, each in every("timm"):
        sizes = {figure.input_size for figure in own_figures(entry, each, "top1_accuracy")}
        at = "this size" if each.preprocessing.crop[0] in sizes else "another size" if sizes else "none"
        found[at if each.classes == 1000 else f"other classes, {at}"] += 1
    # timm_suite.toml keeps of each network and size the best weights alone.
    assert found["this size"] > 1000
    assert found["another size"] < 20
    assert found["other classes, this size"] == found["other classes, another size"] == 0


def test_no_figure_speaks_of_two_weights_of_a_network() -> None:
    spoken_of = Counter[Baseline]()
    for entry, each in [*every("torchvision"), *every("timm")]:
        figures = accuracies().get((baselines.key_of(entry), "top1_accuracy"), [])
        spoken_of.update(figure for figure in figures if weights.speaks_of(figure, each.name, each.tag))
    assert set(spoken_of.values()) == {1}
