"""What the processor of this machine is, what it computes in hardware, and how much of it may be used."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CGROUPS = Path("/sys/fs/cgroup")
GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd")  # NVIDIA's and AMD's drivers


def computes_in_bf16() -> bool:
    """Whether the processor multiplies bf16 numbers in hardware (AMX or AVX512-BF16), as far as the system tells."""
    flags = _text(CPUINFO)
    return "amx_bf16" in flags or "avx512_bf16" in flags


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """The processor's model, with its family and stepping where the system tells them."""
    told = dict.fromkeys(("model name", "cpu family", "model", "stepping"), "")
    for line in _text(cpuinfo).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in told and not told[name.strip()]:
            told[name.strip()] = value.strip()
    return " ".join(filter(None, told.values())) or platform.processor() or platform.machine()


def cores_granted(cgroups: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """How many cores this process may use, 1 or more.

    They are those it is bound to, no more than its groups' quotas, and no more than `OMP_NUM_THREADS`, by which whoever
    starts several processes on a machine parts it between them.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    quotas = [cores]
    if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        quotas.append(int(threads))
    for line in _text(own).splitlines():
        _, _, controllers_and_path = line.partition(":")
        controllers, _, path = controllers_and_path.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = cgroups / "cpu" if controllers else cgroups
        # A group's path is that of the host; in a container its own group is the root of what it sees.
        below = [root / Path(path.lstrip("/")), *(root / Path(path.lstrip("/"))).parents]
        folders = [folder for folder in below if folder == root or root in folder.parents]
        quotas += [quota for folder in folders if (quota := _quota(folder))]
    return max(1, min(quotas))


def has_gpu() -> bool:
    """Whether the system has a GPU that could compute, as far as its drivers show."""
    return any(Path(device).exists() for device in GPU_DEVICES)


def _quota(folder: Path) -> int | None:
    """The cores that a control group's quota is worth, rounded up; None where it has none."""
    together = _text(folder / "cpu.max").split()  # version 2: "200000 100000" or "max 100000"
    apart = [_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]  # version 1: "-1" is none
    quota, period = together if len(together) == 2 else apart
    if not (quota.isdigit() and period.isdigit() and int(quota) and int(period)):
        return None
    return -(-int(quota) // int(period))


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", errors="replace")
    except OSError:
        return ""
