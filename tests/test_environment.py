"""Where a run happened: what can be told is told, the rest is unknown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_archbench.environment import PACKAGES, build, environment, header
from pytest_archbench.environment.build import torch_build
from pytest_archbench.environment.virtual import container, virtualisation


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Some One", "-c", "user.email=some@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "net.py").write_text("width = 64\n")
    git(tmp_path, "add", "net.py")
    git(tmp_path, "commit", "-m", "A network")
    return tmp_path


def test_it_names_the_commit(repository: Path) -> None:
    found = header({}, repository)
    assert found["commit"] == git(repository, "rev-parse", "HEAD").strip()
    assert found["dirty"] is False


def test_a_changed_file_is_dirty_a_new_one_is_not(repository: Path) -> None:
    (repository / "reports.txt").write_text("new\n")
    assert header({}, repository)["dirty"] is False
    (repository / "net.py").write_text("width = 32\n")
    assert header({}, repository)["dirty"] is True


def test_without_a_repository_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    found = header({}, tmp_path)
    assert (found["commit"], found["dirty"]) == ("unknown", "unknown")


def test_without_git_the_commit_is_unknown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = header({}, repository)
    assert (found["commit"], found["dirty"]) == ("unknown", "unknown")


def test_it_is_plain_data_with_versions_and_devices(tmp_path: Path) -> None:
    devices: dict[str, Any] = {"cpu": {"kind": "cpu", "model": "EPYC"}}
    found = json.loads(json.dumps(header(devices, tmp_path)))
    assert found["devices"] == devices
    assert found["environment"] == environment()
    assert found["environment"]["packages"].keys() == set(PACKAGES)
    assert found["environment"]["packages"]["torch"][0].isdigit()


def test_a_package_that_is_not_installed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_archbench.environment.PACKAGES", ("no-such-package",))
    assert environment()["packages"] == {"no-such-package": "unknown"}


def test_the_header_has_what_pytest_benchmark_stores(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:secret@host/us/nets.git")
    said = header({}, repository)
    assert (said["branch"], said["project"]) == ("main", "nets")
    assert datetime.fromisoformat(said["commit_time"]) >= datetime.fromisoformat(said["author_time"])
    assert "secret" not in json.dumps(said)
    git(repository, "checkout", "--detach")
    assert header({}, repository)["branch"] == "(detached head)"


def test_outside_a_repository_times_and_branch_are_unknown(tmp_path: Path) -> None:
    said = header({}, tmp_path)
    assert [said[key] for key in ("commit_time", "author_time", "branch")] == ["unknown"] * 3
    assert said["project"] == tmp_path.name


def host(root: Path, files: Mapping[str, str]) -> Path:
    """Files of a host. Constructed from documentation, not recorded on a host."""
    for path, said in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(said)
    return root


@pytest.mark.parametrize(
    ("files", "maker"),
    [
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": "engine=podman"}, "podman"),
        ({".dockerenv": "", "var/run/secrets/kubernetes.io/serviceaccount/namespace": "default"}, "kubernetes"),
        ({"run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn"),
        ({"proc/1/environ": "TERM=linux\0container=lxc\0PATH=/bin\0"}, "lxc"),
        ({"proc/1/environ": "mycontainer=lxc\0TERM=container=docker\0"}, "unknown"),
        ({"proc/1/cgroup": "0::/kubepods/besteffort/pod1\n"}, "kubernetes"),
        ({"proc/1/cgroup": "4:memory:/docker/0123456789ab\n"}, "docker"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, "none"),
        ({"proc/1/cgroup": "0::/\n"}, "unknown"),
        ({"proc/1/cgroup": "0::/\n", "commands/systemd_detect_virt_container.txt": "none\n"}, "none"),
        ({"commands/systemd_detect_virt_container.txt": "Usage: systemd-detect-virt\n"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_it_names_the_container(files: Mapping[str, str], maker: str, tmp_path: Path) -> None:
    assert container(host(tmp_path, files)) == maker


GUEST = {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vme hypervisor lahf_lm\n"}
METAL = {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vme lahf_lm\n"}
ARM = {"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd evtstrm\n"}
DMI = "sys/class/dmi/id"


@pytest.mark.parametrize(
    ("files", "hypervisor"),
    [
        (GUEST | {f"{DMI}/sys_vendor": "QEMU\n", f"{DMI}/product_name": "Standard PC (Q35 + ICH9, 2009)\n"}, "qemu"),
        (GUEST | {f"{DMI}/sys_vendor": "Red Hat\n", f"{DMI}/product_name": "KVM\n"}, "kvm"),
        (GUEST | {f"{DMI}/sys_vendor": "VMware, Inc.\n"}, "vmware"),
        (GUEST | {f"{DMI}/sys_vendor": "Amazon EC2\n"}, "amazon"),
        (METAL | {f"{DMI}/sys_vendor": "Amazon EC2\n", f"{DMI}/product_name": "c5.metal\n"}, "none"),
        (METAL | {f"{DMI}/sys_vendor": "Dell Inc.\n"}, "none"),
        (METAL | {"sys/hypervisor/type": "xen\n"}, "xen"),
        (GUEST, "unnamed hypervisor"),
        (GUEST | {"commands/systemd_detect_virt_vm.txt": "kvm\n"}, "kvm"),
        (ARM | {f"{DMI}/sys_vendor": "QEMU\n"}, "qemu"),
        (ARM | {f"{DMI}/sys_vendor": "Amazon EC2\n"}, "unknown"),  # its ARM machines without hypervisor say so too
        (ARM | {"commands/systemd_detect_virt_vm.txt": "none\n"}, "none"),
        ({}, "unknown"),
    ],
)
def test_it_names_the_hypervisor(files: Mapping[str, str], hypervisor: str, tmp_path: Path) -> None:
    assert virtualisation(host(tmp_path, files)) == hypervisor


@settings(deadline=None, max_examples=60)
@given(said=st.binary(max_size=60), which=st.sampled_from([*GUEST, "proc/1/environ", "proc/1/cgroup", "commands/"]))
def test_garbage_about_the_host_is_unknown(tmp_path_factory: pytest.TempPathFactory, said: bytes, which: str) -> None:
    root = tmp_path_factory.mktemp("host")
    commands = ["commands/systemd_detect_virt_vm.txt", "commands/systemd_detect_virt_container.txt"]
    for path in [*commands, f"{DMI}/sys_vendor", "sys/hypervisor/type"] if which == "commands/" else [which]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(said)
    for found in (container(root), virtualisation(root)):
        assert found
        assert found.isprintable()


def test_a_folder_nobody_may_look_into_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refusing)
    assert (container(tmp_path), virtualisation(tmp_path)) == ("unknown", "unknown")


def test_it_says_how_torch_was_built() -> None:
    """By its files, and torch itself says the same."""
    found = torch_build()
    assert tuple(found) == build.FACTS
    assert (found["version"], found["debug"]) == (torch.__version__, False)
    assert (found["cuda"], found["hip"]) == (torch.version.cuda or "none", torch.version.hip or "none")
    assert found["git"] == torch.version.git_version
    assert found["mkl"] == torch.backends.mkl.is_available()
    assert f"MKL-DNN v{found['onednn']} " in torch.__config__.show()
    assert f"ATen parallel backend: {found['parallel']}" in torch.__config__.parallel_info()


def test_it_reads_the_build_of_another_torch(tmp_path: Path) -> None:
    """Files as torch 1.4 and a build without headers have them. Constructed from its sources."""
    assert torch_build(tmp_path) == dict.fromkeys(build.FACTS, "unknown")
    host(tmp_path, {"version.py": "__version__ = '1.4.0'\ndebug = False\ncuda = None\ngit_version = '7404463'\n"})
    told = {"version": "1.4.0", "git": "7404463", "debug": False, "cuda": "none"}
    assert torch_build(tmp_path) == dict.fromkeys(build.FACTS, "unknown") | told
    macros = "#define AT_MKLDNN_ENABLED() 0\n#define AT_MKL_ENABLED() 0\n#define AT_PARALLEL_NATIVE 1\n"
    host(tmp_path, {"include/ATen/Config.h": f"#pragma once\n{macros}#define AT_PARALLEL_OPENMP 0\n"})
    headers = {"mkl": False, "onednn": "none", "parallel": "native"}
    assert torch_build(tmp_path) == dict.fromkeys(build.FACTS, "unknown") | told | headers


@settings(deadline=None, max_examples=60)
@given(said=st.binary(max_size=80) | st.sampled_from([b"(" * 5000, b"cuda = 1\n", b"cuda: str\n", b"a.b = 'c'\n"]))
def test_garbage_in_torchs_files_is_unknown(tmp_path_factory: pytest.TempPathFactory, said: bytes) -> None:
    folder = tmp_path_factory.mktemp("torch")
    for path in (build.VERSIONS, build.CONFIGURATION, build.ONEDNN):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(said)
    assert set(torch_build(folder).values()) == {"unknown"}


def test_without_torch_its_build_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(build, "distribution", missing)
    assert environment()["torch"] == dict.fromkeys(build.FACTS, "unknown")


def test_it_takes_no_import_of_torch() -> None:
    program = (
        "import sys; from pytest_archbench.environment import environment as e; e(); print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"
