"""Reading an image: whole, as RGB, or a sentence with its name."""

from __future__ import annotations

import io
import multiprocessing
import pickle
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imagefolders import TENCH, imagenet, jpeg
from PIL import Image
from torchvision.datasets.folder import pil_loader

from pytest_archbench.datasets.reading import Files, decoded
from pytest_archbench.protocols import Unusable

GOOD = io.BytesIO()
Image.linear_gradient("L").resize((40, 30)).convert("RGB").save(GOOD, "JPEG")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "LA", "1"])
def test_every_mode_becomes_rgb_as_torchvision_makes_it(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.linear_gradient("L").resize((9, 7)).convert("RGB").convert(mode).save(path)
    ours = decoded(str(path))
    assert (ours.mode, ours.size) == ("RGB", (9, 7))
    assert ours.tobytes() == pil_loader(str(path)).tobytes()


def test_how_a_camera_was_held_is_not_heeded(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", exif=exif)
    assert decoded(str(tmp_path / "a.jpg")).size == (20, 10)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot identify image file"),
        (b"GIF89a", "cannot identify image file"),
        (GOOD.getvalue()[:-20], "image file is truncated"),
        (GOOD.getvalue()[:300], "Truncated File Read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    jpeg(tmp_path / TENCH / "good.JPEG")
    (tmp_path / TENCH / "bad.JPEG").write_bytes(content)
    images = imagenet(tmp_path)
    named = f"{tmp_path}/{TENCH}/bad.JPEG: not an image that can be decoded: "
    with pytest.raises(Unusable, match=re.escape(named) + said) as error:
        images.read(0)
    assert str(error.value).endswith(": replace the file")
    assert images.read(1).size == (16, 12)


def test_warnings_of_a_decoder_stop_nothing(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 4))
    palette.save(tmp_path / "a.png", transparency=b"\x00\x80")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(str(tmp_path / "a.png")).mode == "RGB"


def test_an_image_too_large_to_be_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg(tmp_path / "a.jpg", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)
    with pytest.raises(Unusable, match=r"a\.jpg: .*exceeds limit"):
        decoded(str(tmp_path / "a.jpg"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8000)  # from here to twice as many Pillow only warns
    assert decoded(str(tmp_path / "a.jpg")).size == (100, 100)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(GOOD.getvalue())), noise=st.binary(max_size=30))
def test_no_bytes_give_anything_but_an_image_or_a_sentence(tmp_path: Path, cut: int, noise: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(GOOD.getvalue()[:cut] + noise + GOOD.getvalue()[cut + len(noise) :])
    try:
        said = decoded(str(path)).mode
    except Unusable as refusal:
        said = str(refusal)
    assert said == "RGB" or said.startswith(str(path))


@pytest.mark.slow
def test_another_process_reads_the_same(tmp_path: Path) -> None:
    jpeg(tmp_path / "a.jpg", (10, 20, 30))
    read = pickle.loads(pickle.dumps(Files(str(tmp_path), ("a.jpg",))))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(read, (0,)).tobytes() == read(0).tobytes()
