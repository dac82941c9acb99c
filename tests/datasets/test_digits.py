"""The handwritten digits of scikit-learn."""

from __future__ import annotations

import pickle
import sys

import numpy
import pytest
from sklearn.datasets import load_digits

from pytest_archbench.datasets import find
from pytest_archbench.protocols import Learning, Missing


def test_every_fifth_is_for_validation() -> None:
    valid, train = find("digits", "valid", Learning()), find("digits", "train", Learning())
    assert (len(valid.names), len(train.names)) == (360, 1437)  # indices 0, 5, ... 1795 of 1,797
    assert valid.names[:2] == ("digits/00000", "digits/00005")
    assert train.names[:5] == ("digits/00001", "digits/00002", "digits/00003", "digits/00004", "digits/00006")
    assert not set(valid.names) & set(train.names)
    assert list(train.names) == sorted(train.names)


def test_it_is_the_whole_and_has_ten_classes() -> None:
    valid = find("digits", "valid", Learning())
    assert valid.classes == tuple("0123456789")
    assert valid.labels[:4] == (0, 5, 0, 5)
    assert (valid.part, valid.random) == ("", True)


def test_an_image_is_grey_and_scaled() -> None:
    digits = load_digits()
    image = find("digits", "train", Learning()).read(0)
    assert (image.mode, image.size) == ("L", (8, 8))
    # 0..16 -> 0..255: 15.9375 each, and 127.5 to the even 128
    scaled = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    wanted = [[scaled[int(value)] for value in row] for row in digits.images[1]]
    assert numpy.asarray(image).tolist() == wanted


def test_it_is_the_same_every_time_and_elsewhere() -> None:
    one, other = find("digits", "valid", Learning()), find("digits", "valid", Learning())
    assert one.identity == other.identity
    sent = pickle.loads(pickle.dumps(one))
    assert sent.read(7).tobytes() == other.read(7).tobytes()


def test_without_scikit_learn_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(Missing, match=r"digits come with scikit-learn, .*: pip install scikit-learn"):
        find("digits", "valid", Learning())
