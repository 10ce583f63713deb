# SPDX-License-Identifier: BSD-3-Clause
"""The JSON of a comparison: what an interrupted run has left, and its table."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import interval, table

OURS = "soap-gpr"
HEAD = (
    "set, code",
    "E MAE meV/atom",
    "F MAE eV/Å",
    "µs/atom",
    "quartiles",
    "without LAMMPS",
    "fit, CPU s",
    "peak MiB",
)


def read(path: Path) -> dict[str, Any]:
    """What a run has written before, or nothing."""
    return json.loads(path.read_text()) if path.exists() else {"sets": {}}


def save(result: Mapping[str, Any], path: Path) -> None:
    """Replace the file in one step, so that an interrupted run leaves the last one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(partial, path)


def is_reusable(entry: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Whether a model of an earlier run has these settings and was trained to its end."""
    if entry is None or "test" not in entry:
        return False
    return all(entry.get(key) == value for key, value in wanted.items())


def text(result: Mapping[str, Any]) -> str:
    """A row for each model, a published error or a reason below where there is no model."""
    rows, left_out = [], []
    for name, own in result["sets"].items():
        for model, entry in own["models"].items():
            if "left_out" in entry:
                left_out.append(f"{name}, {model}: left out: {entry['left_out']}")
            else:
                rows.append([f"{name}, {model}", *_cells(entry)])
        for model, (energy, force) in own["published"].items():
            rows.append([f"{name}, {model}, published", energy, force, *[None] * 5])
    return "\n".join([table(HEAD, rows), *left_out])


def _cells(entry: Mapping[str, Any]) -> list[Any]:
    time, alone = entry.get("us_per_atom"), entry.get("us_per_atom_alone")
    return [
        entry["test"]["energy_mae"],
        entry["test"]["force_mae"],
        time["median"] if time else None,
        interval(time["quartiles"]) if time else None,
        alone["median"] if alone else None,
        float(entry["cpu_seconds"]),
        float(entry["peak_mib"]),
    ]
