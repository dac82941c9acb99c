"""What the papers concluded, judged on what they published and on what this run has measured so far."""

from __future__ import annotations

import pytest

from pytest_archbench.checks import Archbench
from pytest_archbench.claims import CLAIMS

THIS_RUN = "this_run"
COUNTS = ("bianco2018", "canziani2016", "bertmoons")
TIMES = ("bianco2018",)
PUBLISHED = {
    "operations_do_not_give_accuracy": COUNTS,
    "parameters_are_used_unequally": COUNTS,
    "operations_predict_time": TIMES,
    "throughput_bounds_accuracy": TIMES,
    "limits_choose_the_network": TIMES,
    "model_size_predicts_memory": TIMES,
}
"""The sources whose figures have what a conclusion is drawn from."""
REFUTED = {
    ("operations_predict_time", "bianco2018"): (
        "Known: it was concluded on the Jetson TX1, where it holds; a single image does not fill a Titan Xp, and r²"
        " rises with the batch size."
    ),
}
"""Where published figures contradict a conclusion, and why: they must go on doing so."""
CASES = [(name, source) for name in CLAIMS for source in (*PUBLISHED[name], THIS_RUN)]


@pytest.mark.archbench
@pytest.mark.parametrize(("name", "source"), CASES, ids=[f"{name}-{source}" for name, source in CASES])
def test_claim(archbench: Archbench, request: pytest.FixtureRequest, name: str, source: str) -> None:
    """Fails where published figures say anything new; what this device refutes is a finding, not a failure."""
    from pytest_archbench.report.conclusions import conclude  # pandas: not for a run that only collects
    from pytest_archbench.report.frames import networks
    from pytest_archbench.report.published import published

    figures = archbench.published()
    own = [figure for figure in figures if figure.source == source]
    frame = networks(archbench.so_far(), figures) if source == THIS_RUN else published(own)
    found = conclude(name, frame, own)
    request.node.add_report_section("call", "archbench", f"{found.statement} ({found.source})\n{found.sentence}\n")
    if found.holds is None:
        pytest.skip(f"{found.statement} {found.sentence}")
    refuted = REFUTED.get((name, source))
    if found.holds and refuted:
        pytest.fail(f"{found.sentence} It holds where it did not. {refuted}", pytrace=False)
    if not found.holds:
        if refuted or source == THIS_RUN:
            pytest.xfail(" ".join(filter(None, [found.sentence, refuted])))
        pytest.fail(f"{found.statement} Not so: {found.sentence}", pytrace=False)
