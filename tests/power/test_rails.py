"""Rails of boards by name, layout and sum. The trees are constructed from documentation, not recorded on a board."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_archbench.power import rails

sys.path.insert(0, str(Path(__file__).parents[1] / "boards"))

from board_trees import BOARDS, tree

WITH_SENSOR = [name for name, board in BOARDS.items() if board.total_w is not None]


def hwmon(root: Path, bus: str = "1-0040") -> Path:
    return next((root / "sys/bus/i2c/drivers/ina3221" / bus).glob("hwmon/hwmon*"))


def unreadable(path: Path) -> None:
    """A folder in the place of a file: reading it gives an error of the system, as EIO is."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", WITH_SENSOR)
def test_the_total_is_the_sum_worked_by_hand(tmp_path: Path, name: str) -> None:
    found = rails.total(tree(tmp_path, name))
    assert sum(rail.read() for rail in found) == pytest.approx(BOARDS[name].total_w, rel=1e-12)


@pytest.mark.parametrize("name", BOARDS)
def test_it_names_the_board(tmp_path: Path, name: str) -> None:
    assert rails.board(tree(tmp_path, name)) == name


@pytest.mark.parametrize("name", BOARDS)
def test_every_rail_is_found_and_nothing_else(tmp_path: Path, name: str) -> None:
    told = [rail for channels in BOARDS[name].monitors.values() for rail in channels if rail[0] != "NC"]
    found = {rail.name: rail.read() for rail in rails.every(tree(tmp_path, name))}
    assert found == pytest.approx({label: mv * ma / 1e6 for label, mv, ma in told}, rel=1e-12)


def test_a_reading_is_of_now(tmp_path: Path) -> None:
    (rail,) = rails.total(tree(tmp_path, "xavier-nx"))
    rail.inputs[0].write_text("10250\n")
    assert rail.read() == pytest.approx(10.25)


def test_a_part_number_is_enough(tmp_path: Path) -> None:
    """A carrier board of another maker may give the model any name."""
    root = tree(tmp_path, "agx-orin")
    (root / "proc/device-tree/model").write_text("Some carrier\0")
    assert rails.board(root) == "agx-orin"


def test_a_text_is_a_root_too(tmp_path: Path) -> None:
    assert [rail.name for rail in rails.total(str(tree(tmp_path, "nano")))] == ["POM_5V_IN"]


def test_no_jetson_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 4 Model B\0")
    assert rails.board(tmp_path) == ""
    with pytest.raises(
        rails.NoRails, match=r"no Jetson board: expected 'nvidia,tegra' in .*compatible; .*Raspberry Pi"
    ):
        rails.total(tmp_path)


def test_the_board_without_a_sensor_says_so(tmp_path: Path) -> None:
    with pytest.raises(rails.NoRails, match=r"Jetson Nano 2GB has no power sensor"):
        rails.total(tree(tmp_path, "nano-2gb"))


def test_an_unknown_board_is_measured_at_its_input(tmp_path: Path) -> None:
    root = tree(tmp_path, "orin-nx")
    (root / "proc/device-tree/model").write_text("NVIDIA Jetson of tomorrow\0")
    (root / "proc/device-tree/compatible").write_text("nvidia,tegra999\0")
    assert rails.board(root) == "jetson"
    assert [rail.name for rail in rails.total(root)] == ["VDD_IN"]


def test_an_unknown_board_without_an_input_names_the_rails_it_has(tmp_path: Path) -> None:
    root = tree(tmp_path, "agx-orin")
    (root / "proc/device-tree/model").write_text("NVIDIA Jetson of tomorrow\0")
    (root / "proc/device-tree/compatible").write_text("nvidia,tegra999\0")
    with pytest.raises(rails.NoRails, match=r"VDD_IN is not there; looked in .*, found VDD_GPU_SOC, VDD_CPU_CV, VIN"):
        rails.total(root)


def test_a_board_whose_driver_is_missing_says_where_it_looked(tmp_path: Path) -> None:
    root = tree(tmp_path, "tx2")
    shutil.rmtree(root / "sys/bus")
    with pytest.raises(rails.NoRails, match=r"VDD_IN is not there; looked in .*ina3221x/\*/iio.*, found no rail"):
        rails.total(root)


def test_a_rail_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    root = tree(tmp_path, "agx-orin")
    unreadable(hwmon(root) / "curr2_input")
    assert "VDD_CPU_CV" not in [rail.name for rail in rails.every(root)]
    with pytest.raises(rails.NoRails, match=r"VDD_CPU_CV cannot be read \(.*curr2_input"):
        rails.total(root)


def test_a_rail_beside_the_total_may_fail(tmp_path: Path) -> None:
    root = tree(tmp_path, "orin-nano")
    unreadable(hwmon(root) / "in3_input")
    assert [rail.name for rail in rails.total(root)] == ["VDD_IN"]
    assert [rail.name for rail in rails.every(root)] == ["VDD_IN", "VDD_CPU_GPU_CV"]


def test_two_rails_of_one_name_are_not_added_up(tmp_path: Path) -> None:
    root = tree(tmp_path, "xavier-nx")
    (root / "sys/bus/i2c/drivers/ina3221x/7-0040/iio:device0/rail_name_2").write_text("VDD_IN\n")
    with pytest.raises(rails.NoRails, match="VDD_IN is there 2 times"):
        rails.total(root)


def test_a_rail_that_fails_later_raises(tmp_path: Path) -> None:
    (rail,) = rails.total(tree(tmp_path, "nano"))
    rail.inputs[0].unlink()
    with pytest.raises(OSError, match="in_power0_input"):
        rail.read()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=20))
def test_a_reading_is_a_number_or_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in_power0_input"
    path.write_bytes(content)
    rail = rails.Rail("VDD_IN", (path,), 1e-3)
    try:
        milliwatts = int(content.decode("ascii", "replace").strip())
    except ValueError:
        with pytest.raises(ValueError, match="in_power0_input: expected a whole number"):
            rail.read()
    else:
        assert rail.read() == pytest.approx(milliwatts / 1e3)
