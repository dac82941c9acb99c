"""The door to pytest: options, the fixture, and nothing else until ``--archbench`` is given.

Imported by every pytest run of someone who has the plugin installed, so it imports nothing heavy.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pytest_archbench.options import OPTIONS

if TYPE_CHECKING:
    from pytest_archbench.checks import Archbench
    from pytest_archbench.session import Session

SESSION: pytest.StashKey[Session] = pytest.StashKey()
CHOSEN: pytest.StashKey[tuple[str, ...]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("archbench", "benchmarks of neural-network architectures")
    group.addoption("--archbench", action="store_true", help="run the packaged suite and your tests that use archbench")
    group.addoption(
        "--archbench-resume", action="store_true", help="measure only what the journal in --archbench-out lacks"
    )
    for option in OPTIONS:
        shown = option.default or "all"
        about = option.help if "default" in option.help else f"{option.help} (default: {shown})"
        group.addoption(option.flag, dest=f"archbench_{option.key}", metavar="...", help=about.replace("%", "%%"))
        parser.addini(f"archbench_{option.key}", f"the same as {option.flag}", default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_archbench import hooks

    pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """With ``--archbench``: the alias ``--device``, and node ids of the packaged suite as arguments."""
    if "--archbench" not in args:
        return
    # Another plugin (pytest-playwright) may own the name; --archbench-device always works.
    with contextlib.suppress(ValueError):
        parser.getgroup("archbench").addoption(
            "--device", dest="archbench_device", metavar="...", help="alias of --archbench-device"
        )
    chosen = tuple(argument for argument in args if argument.startswith("archbench/"))
    early_config.stash[CHOSEN] = chosen
    args[:] = [argument for argument in args if argument not in chosen]


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "archbench(metric): a bench case, parametrised with archbench_case")
    if config.getoption("archbench"):
        from pytest_archbench.session import start

        config.stash[SESSION] = start(config, config.stash.get(CHOSEN, ()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``archbench_case`` is every case of the marker's metric; without ``--archbench`` a skip that says so."""
    if "archbench_case" not in metafunc.fixturenames:
        return
    session = metafunc.config.stash.get(SESSION, None)
    if session is not None:
        session.parametrize(metafunc)
    else:
        skip = pytest.param(None, marks=pytest.mark.skip(reason="a bench case: run pytest --archbench"), id="archbench")
        metafunc.parametrize("archbench_case", [skip])


@pytest.fixture
def archbench(request: pytest.FixtureRequest) -> Archbench:
    """Counts, measures and judges: ``archbench.check(model, params=..., macs=..., latency_max=...)``."""
    from pytest_archbench.checks import Archbench

    return Archbench(request, request.config.stash.get(SESSION, None))
