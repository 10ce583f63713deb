# SPDX-License-Identifier: BSD-3-Clause
"""The state of a regression under way, so that an interrupted fit goes on to the same model."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from potential.data import fingerprint
from potential.errors import SoapGprError
from potential.model import Model
from potential.output import atomic_file, require_folder
from potential.ranks import Ranks
from potential.regression import StreamingQR
from potential.settings import FitSettings
from potential.structure import Structure
from potential.version import package_version

INTERVAL = 60.0  # seconds between two writings: what a process that is killed outright loses


class Checkpoint:
    """One file per rank: the model with its sparse points, and how far the regression has come."""

    def __init__(self, path: str | Path, ranks: Ranks, problem: str):
        """problem: what ``digest`` says of settings and structures. Raises SoapGprError when the
        folder is missing or the file is that of another fit."""
        suffix = f".{ranks.rank}of{ranks.size}" if ranks.size > 1 else ""
        self.path = Path(f"{path}{suffix}")
        require_folder(self.path)
        self._problem = problem
        self._state = self._load()
        self._written = time.monotonic()

    @property
    def model(self) -> Model | None:
        """The model with its sparse points and without weights, if the file has one."""
        return Model(self._state["model"].tobytes()) if self._state else None

    def resume(self, qr: StreamingQR) -> int:
        """Bring qr up to the state of the file; the number of structures it has seen."""
        if not self._state:
            return 0
        state, self._state = self._state, {}
        qr.restore(state["R"], state["waiting"], int(state["n_rows"]))
        return int(state["n_done"])

    def save(self, model: Model, qr: StreamingQR, n_done: int, *, now: bool = False) -> None:
        """Write the state, at most once in INTERVAL seconds unless ``now``."""
        if not now and time.monotonic() - self._written < INTERVAL:
            return
        with atomic_file(self.path) as temporary, open(temporary, "wb") as stream:
            np.savez(
                stream,
                problem=np.array(self._problem),
                model=np.frombuffer(model.to_bytes(), dtype=np.uint8),
                R=qr.R,
                waiting=qr.waiting,
                n_rows=qr.n_rows,
                n_done=n_done,
            )
        self._written = time.monotonic()

    def remove(self) -> None:
        """The fit is done."""
        self.path.unlink(missing_ok=True)

    def _load(self) -> dict[str, np.ndarray]:
        if not self.path.exists():
            return {}
        try:
            with np.load(self.path, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
            problem = str(state["problem"])
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile):
            raise SoapGprError(
                f"{self.path}: found something else than a checkpoint of soap-gpr fit, expected "
                "one, or no file"
            ) from None
        if problem != self._problem:
            raise SoapGprError(
                f"{self.path}: found the checkpoint of a fit with other settings, data or another "
                "version, expected this one's, or no file: delete it or choose another name"
            )
        return state


def digest(settings: FitSettings, structures: Sequence[Structure]) -> str:
    """Equal for two fits that must give the same model: settings, geometries, labels, version."""
    hashed = hashlib.sha256(package_version().encode())
    hashed.update(json.dumps(settings.to_dict(), sort_keys=True).encode())
    hashed.update(file_bytes(settings))
    for structure in structures:
        hashed.update(structure_digest(structure))
    return hashed.hexdigest()


def file_bytes(settings: FitSettings) -> bytes:
    """What is in the files other than data that the settings name. Raises SoapGprError."""
    try:
        return b"".join(Path(name).read_bytes() for name in settings.other_files)
    except OSError as error:
        raise SoapGprError(f"{error.filename}: cannot be read: {error.strerror}") from None


def structure_digest(structure: Structure) -> bytes:
    """Equal for structures of the same geometry, labels, expected errors and weights."""
    s = structure
    hashed = hashlib.sha256(fingerprint(s))
    hashed.update(repr((s.energy, s.config_type)).encode())
    hashed.update(repr((s.weight_energy, s.weight_force, s.weight_virial)).encode())
    for value in (s.forces, s.virial, s.sigma_energy, s.sigma_force, s.sigma_virial):
        array = np.array([] if value is None else value, dtype=np.float64)
        hashed.update(repr(array.shape).encode() + array.tobytes())
    return hashed.digest()


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
