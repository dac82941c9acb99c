"""Files are written whole or not at all, and every name is that of one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_archbench.files import as_file, write_atomically


def test_it_makes_folders_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "page.html"
    assert write_atomically(path, b"old") == path
    write_atomically(path, b"new\x00")
    assert path.read_bytes() == b"new\x00"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_target_and_no_scraps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomically(tmp_path / "page.html", b"old")

    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OSError, match=os.strerror(21)):
        write_atomically(tmp_path / "page.html", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("name", ["mlp-relu", "resnet50.a1_in1k-cpu", "a" * 100, "größe"])
def test_a_name_that_can_be_a_file_s_stays(name: str) -> None:
    assert as_file(name) == name


def test_names_that_would_become_one_do_not_share_a_file() -> None:
    assert as_file("mlp+relu") == "mlp-relu-5d3d60ab"  # printf mlp+relu | sha256sum
    alike = [
        "mlp-relu",
        "mlp+relu",
        "mlp relu",
        "mlp/relu",
        "a" * 100,
        "a" * 101,
        "a" * 102,
        "",
        "-",
        ".",
        "..",
        "\udcff",
    ]
    assert len({as_file(name) for name in alike}) == len(alike)


@given(name=st.text(max_size=200))
def test_every_name_is_that_of_a_file(name: str) -> None:
    file = as_file(name)
    assert 0 < len(file.encode()) <= 100
    assert "/" not in file
    assert "\0" not in file
    assert file not in {".", ".."}
    assert as_file(file) == file
