"""The door to pytest: options, the fixture, and nothing else until ``--archbench`` is given.

Imported by every pytest run of someone who has the plugin installed, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_archbench.options import OPTIONS, names

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
        shown = option.default or ("all" if option.parse is names else "none")
        about = option.help if "default" in option.help else f"{option.help} (default: {shown})"
        typed: dict[str, Any] = {"action": "store_const", "const": option.bare} if option.bare else {"metavar": "..."}
        group.addoption(option.flag, dest=f"archbench_{option.key}", help=about.replace("%", "%%"), **typed)
        parser.addini(f"archbench_{option.key}", f"the same as {option.flag}", default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_archbench import hooks

    pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """With ``--archbench``: node ids of the packaged suite as arguments, and the alias ``--device``."""
    known = early_config.known_args_namespace
    if known.archbench:
        chosen = tuple(argument for argument in known.file_or_dir if _is_packaged(argument))
        early_config.stash[CHOSEN] = chosen
        args[:] = [argument for argument in args if argument not in chosen]
    result = yield
    # Another plugin (pytest-playwright) or a conftest may own the name: all are loaded now. --archbench-device is ours.
    if known.archbench and _is_free(parser, "--device"):
        parser.getgroup("archbench").addoption(
            "--device", dest="archbench_device", metavar="...", help="alias of --archbench-device"
        )
    return result


def _is_packaged(argument: str) -> bool:
    """Whether an argument is a node id of the packaged suite, and no path of the user's."""
    from pytest_archbench.nodes import NODES

    return argument.startswith(NODES) and not Path(argument.partition("::")[0]).exists()


def _is_free(parser: pytest.Parser, flag: str) -> bool:
    """Whether nobody has claimed an option's name."""
    try:
        return bool(parser.parse_known_and_unknown_args([f"{flag}=cpu"])[1])
    except pytest.UsageError:  # claimed by someone who is choosy about its values
        return False


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
