# SPDX-License-Identifier: BSD-3-Clause
"""Labels that somebody makes elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import ase
import ase.io
from ase.io.formats import ioformats

from potential.active_learning.frames import Labelling, bare, difference, labels_in
from potential.active_learning.label.labeller import Labeller, Waiting
from potential.active_learning.settings import WaitSettings
from potential.errors import SoapGprError
from potential.runtime.output import atomic_file
from potential.schema import Place
from potential.structures.read import read_frames


class WaitingLabeller(Labeller):
    """Inputs for a code, one folder for each structure, and its results in the same folder."""

    def __init__(self, settings: WaitSettings, place: Place, labelling: Labelling):
        self._settings, self._labelling = settings, labelling
        if settings.format not in ioformats or not ioformats[settings.format].can_write:
            raise place.at("format").error(settings.format, "a format that ase.io.write knows")
        for path in settings.copy:
            if not Path(path).is_file():
                raise place.at("copy").says(f"found no file {path}, expected one")
            if Path(path).name in (settings.input, settings.result):
                raise place.at("copy").says(
                    f"found {path}, expected another name than that of input and result"
                )

    def label(self, frames: Sequence[ase.Atoms], folders: Sequence[Path]) -> list[ase.Atoms]:
        return [self._one(atoms, folder) for atoms, folder in zip(frames, folders, strict=True)]

    def _one(self, atoms: ase.Atoms, folder: Path) -> ase.Atoms:
        result = folder / self._settings.result
        if not result.exists():
            if not (folder / self._settings.input).exists():
                self._write(atoms, folder)
            raise Waiting(str(folder.parent / "*" / self._settings.result))
        found, source = read_frames([f"{result}@-1"])[0]
        if other := difference(atoms, found):
            raise SoapGprError(f"{source}: found another structure than that of the input: {other}")
        return self._labelling.frame(atoms, labels_in(found, source), source)

    def _write(self, atoms: ase.Atoms, folder: Path) -> None:
        """The input last: with it the folder is whole."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in self._settings.copy:
            shutil.copy(path, folder)
        target = folder / self._settings.input
        try:
            with atomic_file(target) as temporary:
                own = self._settings
                ase.io.write(temporary, bare(atoms), format=own.format, **own.arguments)
        except SoapGprError:
            raise
        except Exception as error:  # of ASE's writers, which want arguments or a certain cell
            raise SoapGprError(
                f"{target}: cannot be written as {self._settings.format}, which may want other "
                f"arguments: {type(error).__name__}: {error}"
            ) from None
