# SPDX-License-Identifier: BSD-3-Clause
"""Labels of a file, looked up when their structure is selected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import ase

from potential.active_learning.frames import known_among, source_of
from potential.active_learning.label.labeller import Failed, Labeller
from potential.active_learning.settings import FileLabelSettings
from potential.errors import SoapGprError
from potential.structures.label_names import LabelNames
from potential.structures.read import read_frames
from potential.structures.structure import structure_from_atoms


class FileLabeller(Labeller):
    """Labelled structures of files, as they are there."""

    def __init__(self, settings: FileLabelSettings, names: LabelNames, beads: Collection[str]):
        """names: of the labels. Raises SoapGprError for files that cannot be read or have none."""
        self._frames = [
            atoms
            for atoms, source in read_frames(settings.structures, beads)
            if structure_from_atoms(atoms, names, source).has_labels
        ]
        if not self._frames:
            raise SoapGprError(
                f"{', '.join(settings.structures)}: found no labels under the names of [data] train"
            )

    def label(self, frames: Sequence[ase.Atoms], folders: Sequence[Path]) -> list[ase.Atoms]:
        return [self._known(atoms) for atoms in frames]

    def _known(self, atoms: ase.Atoms) -> ase.Atoms:
        found = known_among(atoms, self._frames)
        if found is None:
            raise Failed(f"{source_of(atoms)}: not among the labelled structures")
        return found
