"""Data sets of torchvision, in the formats that they are published in.

The sums by which torchvision knows the published files are replaced by those of the files made here; all else is real.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy
import pytest
from imagefolders import jpeg
from torchvision import datasets

from pytest_archbench.datasets import Split, find
from pytest_archbench.protocols import Learning, Missing, Unusable

SHARED = Path(__file__).parents[3] / "shared" / "data"
"""The published MNIST, where there is one."""


def idx(path: Path, array: numpy.ndarray[Any, Any]) -> None:
    """The format of MNIST: two zeros, 8 for bytes, the number of dimensions, each as four bytes, the values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype("uint8").tobytes())


def mnist(root: Path) -> None:
    for part, count in (("train", 3), ("t10k", 2)):
        pixels = numpy.arange(count * 28 * 28).reshape(count, 28, 28) % 251
        idx(root / "MNIST" / "raw" / f"{part}-images-idx3-ubyte", pixels)
        idx(root / "MNIST" / "raw" / f"{part}-labels-idx1-ubyte", numpy.arange(count) + 4)


def test_mnist_is_read(tmp_path: Path) -> None:
    mnist(tmp_path)
    images = find("mnist", "train", Learning(data=str(tmp_path)))
    assert images.names == ("mnist/00000", "mnist/00001", "mnist/00002")
    assert (images.labels, images.part, images.random) == ((4, 5, 6), "3 of 60,000 images", True)
    assert images.classes[4] == "4 - four"
    image = images.read(1)
    assert (image.mode, image.size) == ("L", (28, 28))
    assert numpy.asarray(image)[0, :3].tolist() == [31, 32, 33]  # 28 x 28 = 784 = 3 x 251 + 31
    assert find("mnist", "valid", Learning(data=str(tmp_path))).labels == (4, 5)


def test_the_published_mnist_is_read() -> None:
    if not (SHARED / "MNIST").is_dir():
        pytest.skip(f"{SHARED}/MNIST is not there")
    valid = find("mnist", "valid", Learning(data=str(SHARED)))
    train = find("mnist", "train", Learning(data=str(SHARED)))
    assert (len(valid.names), len(train.names), valid.part, train.part) == (10_000, 60_000, "", "")
    assert valid.labels[:4] == (7, 2, 1, 0)
    assert train.labels[:4] == (5, 0, 4, 1)


class OldType:
    """A numpy type as it was pickled when CIFAR was published: flags as numbers, of which numpy warns by now."""

    def __reduce__(self) -> tuple[Any, ...]:
        return numpy.dtype, ("u1", 0, 1)


def batch(path: Path, names: list[str], labels: list[int]) -> None:
    """CIFAR's batch: a row of 3072 bytes for each image, all red, all green, all blue; here pixel i of image n is n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = numpy.repeat(numpy.arange(len(labels), dtype="uint8")[:, None], 3072, axis=1)
    rows[:, 0] = 200  # red of the first pixel
    entry = {"data": rows, "labels": labels, "filenames": names, "batch_label": "x", "type": OldType()}
    path.write_bytes(pickle.dumps(entry, protocol=2))


def cifar10(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = root / "cifar-10-batches-py"
    for number in range(1, 6):
        batch(folder / f"data_batch_{number}", ["a.png"], [number])
    batch(folder / "test_batch", ["a.png", "b.png"], [9, 0])
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": classes}, protocol=2))

    def known(name: str) -> list[str]:
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    monkeypatch.setattr(datasets.CIFAR10, "train_list", [known(f"data_batch_{number}") for number in range(1, 6)])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [known("test_batch")])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": known("batches.meta")[1]}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    return folder


def test_cifar10_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifar10(tmp_path, monkeypatch)
    images = find("cifar10", "valid", Learning(data=str(tmp_path)))
    assert (images.names, images.labels) == (("cifar10/00000", "cifar10/00001"), (9, 0))
    assert images.classes[9] == "truck"
    assert (images.part, images.random) == ("2 of 10,000 images", True)
    assert (images.read(1).mode, images.read(1).size) == ("RGB", (32, 32))
    assert [images.read(1).getpixel(place) for place in ((0, 0), (1, 0))] == [(200, 1, 1), (1, 1, 1)]
    assert find("cifar10", "train", Learning(data=str(tmp_path))).labels == (1, 2, 3, 4, 5)


def test_a_damaged_cifar10_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cifar10(tmp_path, monkeypatch) / "test_batch").write_bytes(b"torn")
    with pytest.raises(
        Unusable, match=r"cifar-10-batches-py: cifar10 is there, .*: Dataset not found or corrupted: rem"
    ):
        find("cifar10", "valid", Learning(data=str(tmp_path)))


def stl10(root: Path, monkeypatch: pytest.MonkeyPatch, label: int = 10) -> None:
    """STL-10: bytes of (image, channel, column, row), labels from 1."""
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    pixels = numpy.zeros((2, 3, 96, 96), dtype="uint8")
    pixels[1, 2, 5, 0] = 77  # blue of column 5, row 0
    contents = {
        "train_X.bin": pixels[:1].tobytes(),
        "train_y.bin": bytes([3]),
        "unlabeled_X.bin": b"",
        "test_X.bin": pixels.tobytes(),
        "test_y.bin": bytes([1, label]),
        "class_names.txt": b"airplane\nbird\ncar\ncat\ndeer\ndog\nhorse\nmonkey\nship\ntruck\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    def known(names: list[str]) -> list[list[str]]:
        return [[name, hashlib.md5(contents[name]).hexdigest()] for name in names]

    monkeypatch.setattr(datasets.STL10, "train_list", known(["train_X.bin", "train_y.bin", "unlabeled_X.bin"]))
    monkeypatch.setattr(datasets.STL10, "test_list", known(["test_X.bin", "test_y.bin"]))


def test_stl10_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stl10(tmp_path, monkeypatch)
    images = find("stl10", "valid", Learning(data=str(tmp_path)))
    assert (images.labels, images.classes[9], images.part) == ((0, 9), "truck", "2 of 8,000 images")
    assert (images.read(1).mode, images.read(1).size) == ("RGB", (96, 96))
    assert images.read(1).getpixel((5, 0)) == (0, 0, 77)
    assert find("stl10", "train", Learning(data=str(tmp_path))).labels == (2,)


def test_a_label_of_no_class_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stl10(tmp_path, monkeypatch, label=12)
    with pytest.raises(Unusable, match=r"^stl10 \(valid\): expected labels 0 to 9; got 11: get the set anew"):
        find("stl10", "valid", Learning(data=str(tmp_path)))


def food101(root: Path, meta: str = "") -> None:
    folder = root / "food-101"
    for name in ("ramen/2", "apple_pie/11", "apple_pie/10"):
        jpeg(folder / "images" / f"{name}.jpg", (0, 0, 0))
    (folder / "meta").mkdir()
    listed = json.dumps({"ramen": ["ramen/2"], "apple_pie": ["apple_pie/11", "apple_pie/10"]})
    for split in ("train", "test"):
        (folder / "meta" / f"{split}.json").write_text(meta or listed)


def test_food101_is_read(tmp_path: Path) -> None:
    food101(tmp_path)
    images = find("food101", "valid", Learning(data=str(tmp_path)))
    assert images.names == ("apple_pie/10.jpg", "apple_pie/11.jpg", "ramen/2.jpg")
    assert (images.classes, images.labels) == (("apple_pie", "ramen"), (0, 0, 1))
    assert images.part == "3 of 25,250 images"
    assert (images.read(2).mode, images.read(2).size) == ("RGB", (16, 12))
    (tmp_path / "food-101" / "images" / "ramen" / "2.jpg").unlink()
    with pytest.raises(Unusable, match=r"food-101/images/ramen/2\.jpg: not an image .*No such file"):
        images.read(2)


@pytest.mark.parametrize("meta", ["{", "[]", '{"ramen": 5}', "\x00", "{}"])
def test_a_damaged_list_of_food101_is_refused(tmp_path: Path, meta: str) -> None:
    food101(tmp_path, meta)
    with pytest.raises(Unusable, match="food101"):
        find("food101", "valid", Learning(data=str(tmp_path)))


@pytest.mark.parametrize("name", ["mnist", "cifar10", "stl10", "food101"])
def test_a_set_is_sent_to_another_process(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mnist(tmp_path)
    cifar10(tmp_path, monkeypatch)
    stl10(tmp_path, monkeypatch)
    food101(tmp_path)
    images = find(name, "valid", Learning(data=str(tmp_path)))
    assert pickle.loads(pickle.dumps(images)).read(1).tobytes() == images.read(1).tobytes()


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "MNIST/raw"),
        ("cifar10", "cifar-10-batches-py"),
        ("stl10", "stl10_binary"),
        ("food101", "food-101"),
    ],
)
@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_set_that_is_not_there_is_missing(tmp_path: Path, name: str, folder: str, split: Split) -> None:
    with pytest.raises(Missing, match=f"^{name}: name the folder of torchvision's data sets with --archbench-data"):
        find(name, split, Learning())
    with pytest.raises(
        Missing, match=f"^{name}: looked for {tmp_path}/{folder}, which is not there: --archbench-download fetches it$"
    ):
        find(name, split, Learning(data=str(tmp_path)))
    assert not list(tmp_path.iterdir())  # nothing was fetched, as nobody asked


class Silent(SimpleHTTPRequestHandler):
    """Serves files and prints no line for each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the server's own name for it)
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of ``folder`` on this host."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_mnist_is_fetched_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a server on this host in place of the mirrors."""
    source = tmp_path / "mirror"
    mnist(source)
    resources = []
    for path in sorted((source / "MNIST" / "raw").iterdir()):
        packed = gzip.compress(path.read_bytes())
        (source / f"{path.name}.gz").write_bytes(packed)
        resources.append((f"{path.name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    with serving(source) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        images = find("mnist", "valid", Learning(data=str(tmp_path / "data"), download=True))
    assert images.labels == (4, 5)
    # The server is gone, and what is there is not asked for again.
    assert find("mnist", "valid", Learning(data=str(tmp_path / "data"), download=True)).identity == images.identity


def test_what_cannot_be_fetched_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["file:///nowhere/"])
    said = rf"^mnist: not in {tmp_path}/MNIST/raw, and it could not be fetched: .*: put it there$"
    with pytest.raises(Missing, match=said):
        find("mnist", "valid", Learning(data=str(tmp_path), download=True))
    with pytest.raises(Missing, match="MNIST/raw, which is not there"):  # though torchvision has made the folder
        find("mnist", "valid", Learning(data=str(tmp_path)))


def test_a_file_in_place_of_a_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "food-101").touch()
    with pytest.raises(Unusable, match="food-101: food101 is there, and cannot be read or lacks a part"):
        find("food101", "valid", Learning(data=str(tmp_path)))


def test_a_torn_mnist_is_refused(tmp_path: Path) -> None:
    mnist(tmp_path)
    labels = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1])
    for download in (False, True):
        with pytest.raises(Unusable, match=r"MNIST/raw: mnist is there, and cannot be read or lacks a part: .*: rem"):
            find("mnist", "valid", Learning(data=str(tmp_path), download=download))
