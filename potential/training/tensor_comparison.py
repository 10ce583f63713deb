# SPDX-License-Identifier: BSD-3-Clause
"""Vectors and tensors of some frames beside what a model of other frames says, for
``soap-gpr check --tensor-key``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from potential.model import Evaluation, Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import Progress
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, SoapTermSettings, TargetSettings
from potential.structures.structure import Structure, symbol
from potential.structures.target_labels import TargetLabel
from potential.tensors.spherical import Part
from potential.training.choice import choose
from potential.training.targets import fit_targets
from potential.training.tensor_faults import Compared, part_lengths

TERM = SoapTermSettings(cutoff=4.5, n_max=6, l_max=4, n_sparse=100)
N_SPARSE, N_FEATURES = 100, 200
NOISE = 0.05  # of the median size of a component, so that odd ones do not bend the model
TINY = 1e-6  # parts of this share of the largest are rounding
MOST_ATOMS = 4000  # of what a model is fitted to, so that it takes seconds
NAME = "label"  # of the target in these models


@dataclass(frozen=True)
class Comparison:
    """Which label is compared."""

    label: TargetLabel
    progress: Progress

    def across(
        self, halves: Sequence[Sequence[Structure]], without: Collection[str] = ()
    ) -> list[Compared]:
        """Each half by a model of the other, which does not learn from the frames named."""
        found = list[Compared]()
        for own, other in zip(halves, halves[::-1], strict=True):
            found += self.of([s for s in own if s.source not in without], other)
        return found

    def of(self, train: Sequence[Structure], test: Sequence[Structure]) -> list[Compared]:
        """The labels of test frames whose species a model of the others knows."""
        label, found = self.label, list[Compared]()
        target = TargetSettings(
            name=NAME,
            key=label.key,
            kind="vector" if label.rank == 1 else "tensor",
            rank=label.rank if label.rank > 1 else None,
            symmetric=label.symmetric,
            per_atom=label.per_atom,
            noise=self._noise(train),
            n_sparse=N_SPARSE,
            n_features=N_FEATURES,
        )
        for s, value in self._predicted(target, label.name, train, test):
            y, f = (
                np.reshape(x, (-1, 3**label.rank))
                for x in (s.targets[label.name], value.properties[NAME])
            )
            there = np.isfinite(y).all(axis=1) & np.isfinite(f).all(axis=1)
            if there.any():
                kinds = s.numbers if label.per_atom else np.zeros(1, dtype=int)
                found.append(Compared(s, y[there], f[there], kinds[there]))
        return found

    def lengths(
        self, halves: Sequence[Sequence[Structure]], part: Part
    ) -> tuple[np.ndarray, np.ndarray]:
        """|t| (n,) of a part of all labels, and what models of the other half, which learn nothing
        but it, say of it."""
        name, y, f = self.label.name, list[np.ndarray](), list[np.ndarray]()
        of = [[self._with_length(s, part) for s in half] for half in halves]
        for train, test in zip(of, of[::-1], strict=True):
            size = np.concatenate([np.ravel(s.targets[name]) for s in train])
            target = TargetSettings(
                name=NAME,
                key=self.label.key,
                per_atom=self.label.per_atom,
                extensive=self.label.per_atom,
                noise=NOISE * (float(np.nanmedian(size)) or 1.0),
            )
            for s, value in self._predicted(target, name, train, test):
                y.append(np.ravel(s.targets[name]))
                f.append(np.ravel(value.properties[NAME]))
        labels, predicted = (np.concatenate(x or [np.zeros(0)]) for x in (y, f))
        there = np.isfinite(labels) & np.isfinite(predicted)
        return labels[there], predicted[there]

    def _with_length(self, s: Structure, part: Part) -> Structure:
        length = self.parts(np.atleast_2d(s.targets[self.label.name]))[part]
        own = length if self.label.per_atom else length[0]
        return replace(s, targets={self.label.name: own})

    def parts(self, T: np.ndarray) -> dict[Part, np.ndarray]:
        """|t| (n,) of each part of the label."""
        return part_lengths(T, self.label.rank, self.label.symmetric)

    def rows(self, structures: Sequence[Structure]) -> tuple[np.ndarray, np.ndarray]:
        """Labels (n, n_components), and their atomic numbers or, of structures, 0 (n,)."""
        own = [np.reshape(s.targets[self.label.name], (-1, 3**self.label.rank)) for s in structures]
        kinds = [s.numbers if self.label.per_atom else np.zeros(1, dtype=int) for s in structures]
        return np.concatenate(own), np.concatenate(kinds)

    def _noise(self, structures: Sequence[Structure]) -> Any:
        """Of a component, by species of atoms, from the smallest of the parts with directions."""
        T, kinds = self.rows(structures)
        sizes = {part: size for part, size in self.parts(T).items() if part.lam > 0}
        least = TINY * max(float(np.nanmax(size, initial=0.0)) for size in sizes.values())
        found = dict[int, float]()
        for z in np.unique(kinds).tolist():
            own = [
                float(np.nanmedian(size[kinds == z])) / np.sqrt(part.size)
                for part, size in sizes.items()
                if np.isfinite(size[kinds == z]).any()
            ]
            found[z] = NOISE * min((x for x in own if x > least), default=max(least, 1.0))
        return {symbol(z): x for z, x in found.items()} if self.label.per_atom else found[0]

    def _predicted(
        self,
        target: TargetSettings,
        name: str,
        train: Sequence[Structure],
        test: Sequence[Structure],
    ) -> list[tuple[Structure, Evaluation]]:
        """By a model of the target alone: of the label with this name."""
        model = _model(target, name, train, self.progress)
        known = [s for s in test if set(s.numbers.tolist()) <= set(model.species)]
        own = [replace(s, energy=None, forces=None, virial=None) for s in known]
        values = evaluate_structures(model, own, self.progress, "labels", labels_only=True)
        return list(zip(known, values, strict=True))


def _model(
    target: TargetSettings, name: str, train: Sequence[Structure], progress: Progress
) -> Model:
    """Of as many frames as MOST_ATOMS allows."""
    order = np.random.default_rng(1).permutation(len(train))
    n_atoms = np.cumsum([len(train[k]) for k in order])
    used = sorted(order[: max(1, int(np.searchsorted(n_atoms, MOST_ATOMS, side="right")))])
    bare = [
        replace(
            train[k], energy=None, forces=None, virial=None, targets={NAME: train[k].targets[name]}
        )
        for k in used
    ]
    without = [] if target.kind == "scalar" else [0]
    settings = FitSettings(terms=(TERM,), targets=(target,))
    choice = choose(settings, bare, progress, without_points=without)
    return fit_targets(choice.model, bare, settings, Ranks(), progress, potential=False).model
