"""What a board or a host says of itself, saved as files, on which every probe gives the same answers elsewhere."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_archbench import machine
from pytest_archbench.devices import cpu, jetson, plain, survey
from pytest_archbench.environment import environment
from pytest_archbench.environment.reading import ROOT, NoAnswer, content, kept, printed
from pytest_archbench.power import rails, rapl

SUMMARY = "recorded.json"
LARGEST = 64 * 2**10
"""Bytes kept of a file; the rest is cut off at a line's end and said to be."""
MOST = 20_000
"""Files kept: a host of 1,000 processors has fewer."""

RAILS = tuple(
    f"{layout.folders}/{file.format(channel)}"
    for layout in rails.LAYOUTS
    for channel in layout.channels
    for file in (layout.label, *layout.inputs)
)
COUNTERS = tuple(f"{rapl.ZONES}/{rapl.ZONE}/{file}" for file in ("name", "energy_uj", "max_energy_range_uj"))
FILES = tuple(dict.fromkeys((*cpu.FILES, *jetson.FILES, *machine.FILES, *RAILS, *COUNTERS)))
"""Everything that is recorded, as patterns under a root: what probes, rails, counters and thermal zones read. No serial
number, address or name of a host is among it."""
ASKED = (cpu.MACHINE, *jetson.COMMANDS)
"""Commands whose answers are recorded."""
SERIAL = re.compile(rb"^Serial[ \t]*:.*\n?", re.MULTILINE)
"""The one line of /proc/cpuinfo that tells one board from another of its kind: it is left out."""


class NotRecorded(ValueError):
    """A recording cannot be made there; the message says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What came of it. ``files``: how many; ``cut``: those of which only the beginning was kept; ``unread``: path or
    command, and why it is missing; ``absent``: patterns that nothing is called by.
    """

    files: int
    cut: tuple[str, ...]
    unread: Mapping[str, str]
    absent: tuple[str, ...]


def record(folder: Path, root: Path = ROOT) -> Recording:
    """Save what is under ``root`` in ``folder``, paths kept, commands' answers and a summary beside.

    Raises: NotRecorded where ``folder`` is not new or empty, ``root`` is no folder, or writing fails.
    """
    if not root.is_dir():
        raise NotRecorded(f"{root}: expected a folder that holds proc and sys; got none")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise NotRecorded(f"{folder}: expected a new or an empty folder; got one that holds files: name another")
        made = _files(folder, root)
        said = _answers(folder, root)
        found = Recording(made.files + said.files, made.cut, {**made.unread, **said.unread}, made.absent)
        _write(folder / SUMMARY, f"{json.dumps(_summary(found, root), indent=2)}\n".encode())
    except OSError as error:
        raise NotRecorded(f"{folder}: cannot record there: {error.strerror or error}") from None
    return found


def _summary(found: Recording, root: Path) -> dict[str, Any]:
    """When, by what, on what, and what the probes said there, those that need more than files included."""
    told = environment(root)
    return {
        "recorded": datetime.now(timezone.utc).isoformat(),
        "tool": f"pytest-archbench {told['packages']['pytest-archbench']}",
        "python": told["python"],
        "kernel": f"{platform.system()} {platform.release()}",
        "container": told["container"],
        "virtualisation": told["virtualisation"],
        "devices": {kind: plain(each) for kind, each in survey(root).items()},
        **asdict(found),
    }


def _files(folder: Path, root: Path) -> Recording:
    """Save every file that a pattern names. No pattern searches folders, so that no circle of links is walked."""
    kept_paths: list[str] = []
    cut: list[str] = []
    unread: dict[str, str] = {}
    absent = []
    for pattern in FILES:
        matches = sorted(root.glob(pattern))
        absent += [] if matches else [pattern]
        for path in matches:
            try:
                said = _content(path, root, len(kept_paths))
            except NoAnswer as error:
                unread[_under(path, root)] = str(error)
                continue
            kept_paths.append(_under(path, root))
            cut += [_under(path, root)] if len(said) > LARGEST else []
            _write(folder / _under(path, root), _shortened(said))
    return Recording(len(kept_paths), tuple(cut), unread, tuple(absent))


def _content(path: Path, root: Path, already: int) -> bytes:
    """What a file holds, without serial numbers. Raises: NoAnswer, also where a link leads out of ``root``."""
    if already >= MOST:
        raise NoAnswer(f"{MOST} files are kept, no more")
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NoAnswer(f"its links lead nowhere: {error}") from None
    if not real.is_relative_to(root.resolve()):
        raise NoAnswer("a link leads out of the folder that is recorded")
    said = content(path, LARGEST + 1)
    return SERIAL.sub(b"", said) if _under(path, root) == cpu.DESCRIPTION else said


def _shortened(said: bytes) -> bytes:
    """At most LARGEST bytes, whole lines where there are any."""
    return said if len(said) <= LARGEST else said[: said.rfind(b"\n", 0, LARGEST) + 1] or said[:LARGEST]


def _answers(folder: Path, root: Path) -> Recording:
    """The commands' answers: of this host they are asked, of a recording copied."""
    unread: dict[str, str] = {}
    for command in ASKED:
        try:
            said = printed(*command).encode() if root == ROOT else content(root / kept(command), LARGEST)
            _write(folder / kept(command), _shortened(said))
        except NoAnswer as error:
            unread[" ".join(command)] = str(error)
    return Recording(len(ASKED) - len(unread), (), unread, ())


def _under(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _write(path: Path, said: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(said)
