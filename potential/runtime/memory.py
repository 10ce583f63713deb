# SPDX-License-Identifier: BSD-3-Clause
"""Memory: what a fit needs, and what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from potential.errors import SoapGprError
from potential.runtime.parallel import local_ranks, thread_count
from potential.training.regression import BUFFER_ROWS


def regression_bytes(n_weights: int, n_atoms: int) -> int:
    """Peak memory of the regression on one rank: triangle, K_MM, its factor, rows in flight.

    Each thread holds the rows of a structure of n_atoms atoms, their copy over sigma and those of
    the structure before. Nothing here grows with the number of labels.
    """
    matrices = 3 * n_weights**2 + 2 * BUFFER_ROWS * n_weights
    rows = 3 * (thread_count() + 1) * (3 * n_atoms + 7) * n_weights
    return 8 * (matrices + rows)


def require_memory(n_weights: int, n_atoms: int, more: int = 0, n_ranks: int = 1) -> None:
    """Raise SoapGprError when the regression, and as many bytes more, cannot fit into the memory
    that is free now. n_ranks: of the fit, of which those on this machine share its memory."""
    needed, available = regression_bytes(n_weights, n_atoms) + more, available_bytes()
    sharing = min(n_ranks, local_ranks())
    if available is not None and needed * sharing > available:
        each = f" on each of {sharing} ranks of this machine" if sharing > 1 else ""
        raise SoapGprError(
            f"the regression with {n_weights} weights in all needs about "
            f"{needed / 2**30:.1f} GiB{each} and {available / 2**30:.1f} GiB are free: lower "
            f"n_sparse{' or start fewer ranks' if sharing > 1 else ''}"
        )


def available_bytes() -> int | None:
    """Memory that this process can still get, or None where Linux does not tell.

    The least of what the machine has and what the control groups of containers and batch systems
    allow.
    """
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        return None
    return max(0, min([free, *_control_groups()]))


def _control_groups(
    groups: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> Iterator[int]:
    """What is left of every memory limit that this process is under, of versions 1 and 2."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            base = root / "memory"
        elif not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            base = root
        else:
            continue
        folder = base / path.lstrip("/")
        for place in (folder, *folder.parents):
            if not place.is_relative_to(base):
                break
            try:
                limit, used = (int((place / name).read_text()) for name in names[:2])
                statistics = (place / "memory.stat").read_text().split()
            except (OSError, ValueError):  # no limit: "max"
                continue
            cache = dict(zip(statistics[::2], statistics[1::2], strict=False)).get(names[2], "0")
            yield limit - used + int(cache)
