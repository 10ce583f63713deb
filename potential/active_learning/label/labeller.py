# SPDX-License-Identifier: BSD-3-Clause
"""What sources of labels have in common: each label is a file of its own, written once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import ase

from potential.active_learning.frames import Labelling, difference, labels_in
from potential.errors import SoapGprError
from potential.runtime.output import atomic_file
from potential.runtime.progress import Progress, silent
from potential.scores.predictions import write_frames
from potential.structures.read import read_frames


class Failed(Exception):
    """One structure that gets no label, such as where a calculation does not converge."""


class Waiting(Exception):
    """Labels that are not there yet; its text says what is waited for."""


class Labeller(ABC):
    """A source of labels. Made before anything runs, it raises SoapGprError for what a user can
    put right."""

    batch = 1  # structures for each call

    @abstractmethod
    def label(self, frames: Sequence[ase.Atoms], folders: Sequence[Path]) -> list[ase.Atoms]:
        """The frames with labels as a fit reads them, or Failed.

        folders: one for each, not made yet, for files that are kept. Raises SoapGprError where no
        structure can be labelled, Failed where these cannot, Waiting where labels come later.
        """


class Labels:
    """The labels of a generation in a folder: 0003.xyz, or 0003.failed with the reason."""

    def __init__(self, folder: Path, n: int):
        self._folder, self._n = folder, n

    def folder_of(self, k: int) -> Path:
        return self._folder / f"{k:04d}"

    def label_of(self, k: int) -> Path:
        return self._folder / f"{k:04d}.xyz"

    def failure_of(self, k: int) -> Path:
        return self._folder / f"{k:04d}.failed"

    @property
    def missing(self) -> list[int]:
        """Those that are neither labelled nor failed."""
        return [
            k
            for k in range(self._n)
            if not (self.label_of(k).exists() or self.failure_of(k).exists())
        ]

    def frames(self) -> list[ase.Atoms]:
        """All that are labelled."""
        there = [self.label_of(k) for k in range(self._n) if self.label_of(k).exists()]
        return [read_frames([str(path)])[0][0] for path in there]

    def failures(self) -> list[str]:
        """The reasons of those that failed."""
        there = [self.failure_of(k) for k in range(self._n) if self.failure_of(k).exists()]
        return [path.read_text("utf-8").strip() for path in there]

    def forget_failures(self) -> None:
        for k in range(self._n):
            self.failure_of(k).unlink(missing_ok=True)


def label_all(
    labeller: Labeller, frames: Sequence[ase.Atoms], labels: Labels, progress: Progress = silent
) -> None:
    """Label those that have no label yet.

    Raises SoapGprError where none can be labelled, and Waiting when what can be done is done.
    """
    missing, waiting = labels.missing, list[Waiting]()
    batches = [missing[k : k + labeller.batch] for k in range(0, len(missing), labeller.batch)]
    labels.folder_of(0).parent.mkdir(exist_ok=True)
    for batch in progress(batches, "labels"):
        folders = [labels.folder_of(k) for k in batch]
        try:
            found = labeller.label([frames[k] for k in batch], folders)
        except Failed as error:
            for k in batch:
                with atomic_file(labels.failure_of(k)) as temporary:
                    temporary.write_text(f"{error}\n", "utf-8")
        except Waiting as error:
            waiting.append(error)
        else:
            for k, atoms in zip(batch, found, strict=True):
                write_frames(labels.label_of(k), [atoms])
    if waiting:
        raise Waiting(f"{len(waiting)} of {len(frames)} structures wait for {waiting[0]}")
    failures = labels.failures()
    if failures and len(failures) == len(frames):
        labels.forget_failures()
        raise SoapGprError(f"no structure could be labelled: {failures[0]}")


def read_labelled(path: Path, frames: Sequence[ase.Atoms], labelling: Labelling) -> list[ase.Atoms]:
    """Frames with the labels that a program wrote for them into a file, one for each.

    Raises SoapGprError for other structures and for labels that are missing.
    """

    found = read_frames([str(path)])
    if len(found) != len(frames):
        raise SoapGprError(f"{path}: found {len(found)} structures, expected {len(frames)}")
    labelled = []
    for atoms, (own, source) in zip(frames, found, strict=True):
        if other := difference(atoms, own):
            raise SoapGprError(
                f"{source}: found another structure than the one to be labelled: {other}"
            )
        labelled.append(labelling.frame(atoms, labels_in(own, source), source))
    return labelled
