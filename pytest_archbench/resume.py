"""What an interrupted run has measured already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_archbench import inputs, store
from pytest_archbench.baselines import key_of
from pytest_archbench.records import Case, Conditions, Measurement

Key = tuple[str, str, str, str, int, str]
"""Architecture, key of figures, metric, device, batch size and variant."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ``run`` that a journal is of, an empty text where there is none, and the rows of its good measurements.

    ``same_code``: whether the commit is what it was, as far as it is known, and with it the user's own networks.
    """

    run: str = ""
    rows: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)
    same_code: bool = False

    @classmethod
    def of(cls, folder: Path, header: Mapping[str, Any]) -> Recorded:
        """Read the journal in ``folder``; what failed there is left to be measured again. One that was cut off within
        its header holds nothing.

        Raises: JournalError where the journal is damaged or was written in another environment.
        """
        if not (folder / store.JOURNAL).exists():
            return cls()
        run = store.read(folder)
        if run == store.NOTHING:
            return cls()
        for part in ("environment", "devices"):
            _require_same(folder / store.JOURNAL, part, run.header.get(part), header[part])
        rows = {_key(row): row for row in run.rows if row["status"] == "ok"}
        return cls(str(run.header["run"]), rows, same_code=header.get("commit") == run.header.get("commit"))

    def get(self, case: Case) -> Measurement | None:
        """The measurement of a case, if there is one of this very network under the same conditions."""
        entry, asked = case.architecture, case.conditions
        row = self.rows.get(_asked(case))
        if row is None or (entry.is_users_own and not self.same_code):
            return None
        found = store.measurement(row)
        if found.protocol:  # its meter keeps what was learned, and looks whether weights and images are those of before
            return None
        fed = inputs.plain(asked.input_shape)
        same_input = fed is None or fed == found.conditions.input_shape
        taken = replace(found.conditions, input_shape=asked.input_shape, dtype=asked.dtype)
        return found if same_input and taken == asked else None

    def row(self, case: Case) -> Mapping[str, Any] | None:
        """The journal's row of a case that ``get`` gives back."""
        return self.rows[_asked(case)] if self.get(case) is not None else None


def _asked(case: Case) -> Key:
    entry, asked = case.architecture, case.conditions
    return entry.name, key_of(entry), case.metric, asked.device, asked.batch_size, asked.variant


def _key(row: Mapping[str, Any]) -> Key:
    under = Conditions(**row["conditions"])
    return row["architecture"], row["topology"], row["metric"], under.device, under.batch_size, under.variant


def _require_same(path: Path, part: str, before: Any, now: Any) -> None:
    """Refuse to continue a run under other facts, naming the first that differs."""
    if before == now:
        return
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted(before.keys() | now.keys(), key=str):
            _require_same(path, f"{part}.{key}", before.get(key), now.get(key))
    raise store.JournalError(
        f"{path}: {part} was {before!r} and is {now!r} now; one journal holds one environment: "
        "start afresh without --archbench-resume, or in another --archbench-out"
    )
