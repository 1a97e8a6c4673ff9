"""What the processor of this machine computes in hardware."""

from __future__ import annotations

from pathlib import Path


def computes_in_bf16() -> bool:
    """Whether the processor multiplies bf16 numbers in hardware (AMX or AVX512-BF16), as far as the system tells."""
    try:
        flags = Path("/proc/cpuinfo").read_text("ascii", errors="replace")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
