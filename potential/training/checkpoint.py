# SPDX-License-Identifier: BSD-3-Clause
"""The state of a regression under way, so that an interrupted fit goes on to the same model."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.output import require_writable
from potential.runtime.ranks import Ranks
from potential.runtime.state_file import damaged, read_state, write_state
from potential.settings import FitSettings
from potential.structures.digests import structure_digest
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.choice import Choice
from potential.training.regression import StreamingQR
from potential.version import package_version

_KIND = "checkpoint"
TARGETS = ".targets"  # after the name of the checkpoint
INTERVAL = 60.0  # seconds between two writings: what a process that is killed outright loses


class Checkpoint:
    """One file per rank: the choice of sparse points, and how far the regression has come.

    Regressions of targets, which come after that of the potential, have one of their own.
    """

    def __init__(self, path: str | Path, ranks: Ranks, problem: str, *, targets: bool = False):
        """problem: what ``digest`` says of settings and structures; targets: whether there are any.
        Raises SoapGprError when a file cannot be written, is damaged or is that of another fit."""
        self.path = checkpoint_path(path, ranks)
        own = f"{path}{TARGETS}"
        self.targets = Checkpoint(own, ranks, problem) if targets else None
        require_writable(self.path)
        self._problem = problem
        self._choice: Choice | None = None
        self._state: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None
        if self.path.exists():
            self._load()
        self._written = time.monotonic()

    @property
    def choice(self) -> Choice | None:
        """The sparse points with what their choice had to say, if a file has them."""
        if self._choice is None and self.targets:  # as without a potential
            return self.targets.choice
        return self._choice

    def resume(self, qrs: Sequence[StreamingQR], n_structures: int) -> int:
        """Bring the triangles up to the state of the file; the number of structures, of so many,
        that they have seen.

        Raises SoapGprError when the state is not one of such regressions.
        """
        if self._state is None:
            return 0
        (values, arrays), self._state = self._state, None
        try:
            n_rows, n_done = [int(n) for n in values["n_rows"]], int(values["n_done"])
            if min(n_rows) < 0 or not 0 <= n_done <= n_structures:
                raise ValueError("found counts of another regression")
            for k, (qr, n) in enumerate(zip(qrs, n_rows, strict=True)):
                qr.restore(arrays[_name("R", k)], arrays[_name("waiting", k)], n)
        except (KeyError, TypeError, ValueError):
            raise damaged(self.path, _KIND) from None
        return n_done

    def save(self, choice: Choice, qrs: Sequence[StreamingQR], n_done: int) -> None:
        """Write the state. Raises SoapGprError when that is impossible."""
        self._written = time.monotonic()
        n_rows = [qr.n_rows for qr in qrs]
        values = {"problem": self._problem, "n_rows": n_rows, "n_done": n_done}
        own_values, own_arrays = pack_choice(choice)
        arrays = {_name("R", k): qr.R for k, qr in enumerate(qrs)}
        arrays |= {_name("waiting", k): qr.waiting for k, qr in enumerate(qrs)}
        write_state(self.path, _KIND, values | own_values, own_arrays | arrays)

    def save_at_times(
        self, choice: Choice, qrs: Sequence[StreamingQR], n_done: int, *, now: bool = False
    ) -> str:
        """Write the state, at most once in INTERVAL seconds unless ``now``.

        A file that cannot be written is not worth the fit: returns why, else "".
        """
        if not now and time.monotonic() - self._written < INTERVAL:
            return ""
        try:
            self.save(choice, qrs, n_done)
        except SoapGprError as error:
            return f"{error}; the fit went on without this checkpoint"
        return ""

    def remove(self) -> None:
        """The fit is done."""
        Path(os.path.realpath(self.path)).unlink(missing_ok=True)
        if self.targets:
            self.targets.remove()

    def _load(self) -> None:
        values, arrays = self._state = read_state(self.path, _KIND)
        if values.get("problem") != self._problem:
            raise SoapGprError(
                f"{self.path}: found the checkpoint of a fit with other settings, data or another "
                "version, expected this one's, or no file: delete it or choose another name"
            )
        self._choice = read_choice(self.path, _KIND, values, arrays)


def _name(array: str, k: int) -> str:
    return f"{array}{k or ''}"


def checkpoint_path(path: str | Path, ranks: Ranks) -> Path:
    """The file of this rank."""
    return Path(f"{path}.{ranks.rank}of{ranks.size}" if ranks.size > 1 else path)


def pack_choice(choice: Choice) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Values and arrays of a file that a fit reads back; ``read_choice`` is the inverse."""
    stored = np.frombuffer(choice.model.to_bytes(), dtype=np.uint8)
    return {"warnings": choice.warnings}, {"model": stored}


def read_choice(
    path: Path, kind: str, values: dict[str, Any], arrays: dict[str, np.ndarray]
) -> Choice:
    """The sparse points in the file. Raises SoapGprError when there are none."""
    try:
        choice = Choice(TrainingModel(arrays["model"].tobytes()), values["warnings"])
        if isinstance(choice.warnings, list) and all(isinstance(w, str) for w in choice.warnings):
            return choice
    except (KeyError, SoapGprError):
        pass
    raise damaged(path, kind)


def digest(settings: FitSettings, structures: Sequence[Structure]) -> str:
    """Equal for two fits that must give the same model: settings, geometries, labels, version.

    Names of files play no part, but what is in them.
    """
    hashed = hashlib.sha256(package_version().encode())
    values = nameless(settings)
    hashed.update(json.dumps(values, sort_keys=True).encode())
    for structure in structures:
        hashed.update(structure_digest(structure))
    return hashed.hexdigest()


def nameless(settings: FitSettings) -> dict[str, Any]:
    """[[terms]], [[targets]] but for the names of their labels, [baseline], [noise], [solver] and
    extra_species, with digests in the place of files that they name. Raises SoapGprError when one
    cannot be read."""
    values = settings.to_dict()
    tables = [values["baseline"], *values["terms"]]
    for own, table in zip((settings.baseline, *settings.terms), tables, strict=True):
        table |= {key: _file_digest(name) for key, name in own.files.items()}
    for key in ("keep_factor", "sparse_tolerance"):
        values["solver"].pop(key)  # changes nothing that is kept
    kept = {key: values[key] for key in ("terms", "baseline", "noise", "solver")}
    if (how := settings.dealing) is not None:
        kept["dealing"] = {"blocks": how.blocks, "n_blocks": how.n_blocks, "usual": how.usual}
    if settings.uncertainty is not None and settings.targets:
        kept["members"] = settings.uncertainty.committee > 0
    named = ("key", "column", "unit")
    targets = [{k: v for k, v in own.items() if k not in named} for own in values["targets"]]
    return kept | {"targets": targets, "extra_species": list(settings.data.extra_species)}


def _file_digest(name: str) -> str:
    try:
        with open(name, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SoapGprError(f"{name}: cannot be read: {error.strerror}") from None


@contextmanager
def deferred_interrupts() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM only enter the list, for work that must end in a state it can save."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(name, lambda number, _: received.append(number)) for name in names]
    try:
        yield received
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
