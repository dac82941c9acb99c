"""In which container and on which virtual machine a run happens, as far as a host tells."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_archbench.environment.reading import is_there, line, said, text

UNKNOWN = "unknown"
NONE = "none"

MARKS = (
    ("var/run/secrets/kubernetes.io", "kubernetes"),
    ("run/.containerenv", "podman"),
    (".dockerenv", "docker"),
)
"""What a container's maker leaves in it, and the maker. Kubernetes runs others' containers: it is looked for first."""
MANAGER = "run/systemd/container"
"""Where systemd keeps what its container calls itself (systemd, CONTAINER_INTERFACE)."""
FIRST_PROCESS = "proc/1/environ"
GROUPS = "proc/1/cgroup"
GROUP_NAMES = (("kubepods", "kubernetes"), ("libpod", "podman"), ("docker", "docker"), ("lxc", "lxc"))
"""What stands in the control groups of a container's first process where they are not hidden."""
HOSTS_GROUP = "init.scope"
"""The group that systemd gives to a host's own first process."""
DETECT = "systemd-detect-virt"

HYPERVISOR = "sys/hypervisor/type"
DMI = tuple(f"sys/class/dmi/id/{field}" for field in ("sys_vendor", "product_name", "board_vendor", "bios_vendor"))
"""What the firmware says of its maker and model. Serial numbers, which lie beside, are never read."""
MAKERS = (
    ("kvm", "kvm"),
    ("openstack", "kvm"),
    ("qemu", "qemu"),
    ("vmware", "vmware"),
    ("virtualbox", "oracle"),
    ("innotek", "oracle"),
    ("xen", "xen"),
    ("amazon ec2", "amazon"),
    ("google compute engine", "google"),
    ("microsoft corporation", "microsoft"),
    ("parallels", "parallels"),
    ("bhyve", "bhyve"),
)
"""What firmware of a hypervisor has in its names, in small letters, and what systemd calls that."""
ALWAYS_VIRTUAL = {"kvm", "qemu", "vmware", "oracle", "xen", "parallels", "bhyve"}
"""Makers that sell no hardware: the others' names stand on real machines too."""
UNNAMED = "unnamed hypervisor"
"""Where the processor says that there is one, and nobody says which."""


def container(root: Path) -> str:
    """``docker``, ``podman``, ``kubernetes``, ``lxc`` or another maker; ``none``, or ``unknown``."""
    return _marked(root) or _named(root) or _grouped(root) or _detected(root, "--container") or UNKNOWN


def virtualisation(root: Path) -> str:
    """``kvm``, ``amazon``, ``vmware`` or another; ``none`` on bare hardware, or ``unknown``."""
    flagged, maker = _flagged(root), _maker(root)
    if hypervisor := line(root / HYPERVISOR):
        return hypervisor
    if flagged is False:
        return NONE
    if maker and (flagged or maker in ALWAYS_VIRTUAL):
        return maker
    return _detected(root, "--vm") or (UNNAMED if flagged else UNKNOWN)


def _marked(root: Path) -> str | None:
    return next((maker for path, maker in MARKS if is_there(root / path)), None)


def _named(root: Path) -> str | None:
    """What the container calls itself; the first process's environment is its owner's alone to read."""
    if named := line(root / MANAGER):
        return named
    entries = (text(root / FIRST_PROCESS) or "").split("\0")
    return next((word.partition("=")[2] for word in entries if re.fullmatch(r"container=[a-z0-9-]{1,40}", word)), None)


def _grouped(root: Path) -> str | None:
    groups = text(root / GROUPS) or ""
    return next((maker for word, maker in GROUP_NAMES if word in groups), NONE if HOSTS_GROUP in groups else None)


def _flagged(root: Path) -> bool | None:
    """Whether an x86 processor says that it is a hypervisor's; None where there is none that could say so."""
    found = re.search(r"^flags\s*:(.*)$", text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return "hypervisor" in found[1].split() if found else None


def _maker(root: Path) -> str | None:
    firmware = " ".join(line(root / path) or "" for path in DMI).lower()
    return next((maker for word, maker in MAKERS if word in firmware), None)


def _detected(root: Path, kind: str) -> str | None:
    """What systemd finds, ``none`` included."""
    found = said(root, DETECT, kind)
    return found.strip() if found and re.fullmatch(r"[a-z0-9-]{1,40}\s*", found) else None
