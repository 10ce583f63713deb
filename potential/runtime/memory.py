# SPDX-License-Identifier: BSD-3-Clause
"""Memory that this process can still get."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


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
    return max(0, min([free, *left_by_control_groups()]))


def left_by_control_groups(
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
