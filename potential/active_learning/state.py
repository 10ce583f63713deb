# SPDX-License-Identifier: BSD-3-Clause
"""A loop on disk: a folder for each generation, with one JSON file that says what is done.

A step is done when the file names it; what it wrote lies there whole before that, so that a loop
that ends at any point goes on from it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from potential.errors import SoapGprError
from potential.runtime.output import atomic_file

STEPS = ("sample", "select", "label", "fit", "report")
_FORMAT = 1


class Generation:
    """One generation of a loop: its folder and its state."""

    def __init__(self, loop: Path, number: int):
        """Raises SoapGprError where there is a state that is none of ours."""
        self.number = number
        self.folder = loop / f"generation_{number:03d}"
        self.state: dict[str, Any] = {"format": _FORMAT, "generation": number}
        if self.path.exists():
            self.state = _read(self.path, number)

    @property
    def path(self) -> Path:
        return self.folder / "state.json"

    @property
    def samples(self) -> Path:
        """The folder of the runs of samplers."""
        return self.folder / "sample"

    @property
    def selected(self) -> Path:
        return self.folder / "selected.xyz"

    @property
    def labels(self) -> Path:
        """The folder of single labels."""
        return self.folder / "labels"

    @property
    def labelled(self) -> Path:
        return self.folder / "labelled.xyz"

    @property
    def model(self) -> Path:
        return self.folder / "model.sgpr"

    def done(self, step: str) -> bool:
        return step in self.state

    def finish(self, step: str, record: Mapping[str, Any]) -> None:
        """Write down that a step is done, with what there is to say of it."""
        self.state[step] = dict(record)
        write_json(self.path, self.state)

    @property
    def is_complete(self) -> bool:
        return self.done(STEPS[-1])


def generations_in(loop: Path) -> list[Generation]:
    """All that are there, from 0 on. Raises SoapGprError as ``Generation``."""
    found = list[Generation]()
    while (generation := Generation(loop, len(found))).path.exists():
        found.append(generation)
    return found


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """In one step."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out of the loop in this folder, which is made.

    The lock ends with the process, however that ends. Raises SoapGprError where there is one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / "lock").open("w")
    except OSError as error:
        raise SoapGprError(f"{folder}: cannot be written: {error.strerror}") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SoapGprError(f"{folder}: another soap-gpr learn is at work there") from None
        yield


def _read(path: Path, number: int) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text("utf-8"))
        good = state["format"] == _FORMAT and state["generation"] == number
        good = good and all(isinstance(state.get(step, {}), dict) for step in STEPS)
    except (OSError, ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise SoapGprError(
            f"{path}: found no state of generation {number} as soap-gpr learn writes it, expected "
            "one, or another [loop] folder"
        )
    return state
