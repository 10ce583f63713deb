# SPDX-License-Identifier: BSD-3-Clause
"""k-fold cross-validation by structure from one pass over the rows (docs/theory.md eq. 13c).

Every fold is factored by itself, label by label and for sigma = 1. Fits to all folds but one, at
any noise levels, and the errors on the fold left out follow from the factors alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.settings import FitSettings, NoiseSettings
from potential.structures.label_table import FORCE, LABELS
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.label_groups import OWN, UNIT_NOISE, label_rows, level
from potential.training.regression import StreamingQR, solve
from potential.training.rows import extended_rows
from potential.training.target_problem import TargetProblem
from potential.validation.row_store import Prepared, random_parts
from potential.validation.target_folds import TargetErrors, TargetFolds

DEFAULT = "\0default"  # all config_types without a table of their own in [noise]


@dataclass(frozen=True)
class CrossValidation:
    """Errors on the folds that were left out: eV/atom, eV/Å, eV/atom."""

    rmse: dict[str, float]  # by label, over all folds
    fold_rmse: dict[str, list[float]]  # by label, nan where a fold has none
    counts: dict[str, int]  # numbers of labels
    targets: dict[str, TargetErrors] = field(default_factory=dict)


class FoldFactors:
    """Triangular factors of the extended rows of a training set, by fold.

    train: {(fold, label, noise table): R}, rows over sqrt(N) for energies and virials, over the
    structure's own sigma in table OWN. errors: {(fold, label): R} with rows per atom. Force rows
    serve as both, unless some have weights. Fold -1 holds the isolated atoms, which are in every
    fit.
    """

    def __init__(
        self, prepared: Prepared, n_folds: int, seed: int = 0, progress: Progress = silent
    ):
        self.prepared, self.n_folds = prepared, n_folds
        self.part = random_parts(prepared.train, n_folds, seed)
        self._tables = set(prepared.settings.noise.config_type)
        self._weighted = any(s.weight_force != 1 for s in prepared.train)
        self.targets: TargetFolds | None = None
        if prepared.settings.targets:
            problem = TargetProblem(prepared.model, prepared.settings)
            self.targets = TargetFolds(problem, prepared.train, self.part, n_folds)
        self._require_memory()
        self.counts: dict[tuple[int, str, str], int] = {}
        self.log_sigma: dict[tuple[str, str], float] = {}  # Σ log sigma of the rows as factored
        self.train: dict[tuple[int, str, str], np.ndarray] = {}
        self.errors: dict[tuple[int, str], np.ndarray] = {}
        if prepared.has_potential:
            self._factor(progress)
        if self.targets:
            self.targets.factor(progress)
        self.e0 = [self._e0_without(fold) for fold in range(n_folds)]
        self._unscaled, self._scale = self, np.ones(prepared.width + 1)
        self._rest: tuple[NoiseSettings, list[np.ndarray]] | None = None

    @property
    def nbytes(self) -> int:
        own = sum(R.nbytes for R in (*self.train.values(), *self.errors.values()))
        return own + (self.targets.nbytes if self.targets else 0)

    def with_delta(self, settings: FitSettings) -> FoldFactors:
        """The factors of a fit that differs in the ``delta`` of its terms, which multiplies columns
        of rows and blocks of K_MM (docs/theory.md eq. 13i); noise and solver may differ too."""
        prepared, old = self.prepared, self.prepared.settings.terms
        ratios = [
            (now.delta / own.delta) ** 2 for own, now in zip(old, settings.terms, strict=True)
        ]
        scale = np.ones(prepared.width + 1)
        scale[: prepared.model.n_weights] = prepared.by_column(ratios)
        if np.all(scale == 1.0):
            return self
        scaled = copy.copy(self)
        K_MM = prepared.K_MM * scale[: len(prepared.K_MM)]  # zero between terms
        scaled.prepared = replace(prepared, settings=settings, K_MM=K_MM)
        scaled.train = {key: R * scale for key, R in self.train.items()}
        scaled.errors = {key: R * scale for key, R in self.errors.items()}
        scaled._scale = self._scale * scale
        if self.targets:
            scaled.targets = self.targets.with_delta(dict(enumerate(ratios)))
        return scaled

    def cross_validate(self, settings: FitSettings) -> CrossValidation:
        """Fit to all folds but one and test on that one, for every fold in turn.

        Of the settings only the noise levels, noise, scale and mean of [[targets]], and the jitter
        count. Raises SoapGprError when the regression has no solution.
        """
        of_targets = self.targets.cross_validate(settings) if self.targets else {}
        if not self.prepared.has_potential:
            return CrossValidation({}, {}, {}, of_targets)
        rest = self._unscaled.without_folds(settings.noise)
        scale = np.append(self._scale[: self.prepared.model.n_weights], 1.0)
        squares = np.zeros((len(LABELS), self.n_folds))
        counts = np.zeros((len(LABELS), self.n_folds), dtype=int)
        for fold in range(self.n_folds):
            triangle = rest[fold] * scale
            weights = solve(triangle, self.prepared.K_MM, settings.solver.jitter).weights
            for k, label in enumerate(LABELS):
                for R in self._error_factors(fold, label):
                    squares[k, fold] += np.sum(
                        self.prepared.residuals(R, weights, self.e0[fold]) ** 2
                    )
                counts[k, fold] = self.count(label, fold)
        with np.errstate(invalid="ignore"):
            by_fold = np.sqrt(squares / counts)
        found = [(k, label) for k, label in enumerate(LABELS) if counts[k].sum()]
        return CrossValidation(
            rmse={label: float(np.sqrt(squares[k].sum() / counts[k].sum())) for k, label in found},
            fold_rmse={label: by_fold[k].tolist() for k, label in found},
            counts={label: int(counts[k].sum()) for k, label in found},
            targets=of_targets,
        )

    def fitted(self, settings: FitSettings) -> TrainingModel:
        """The potential of a fit to all structures; of the settings only the noise levels and the
        jitter count. Raises SoapGprError when the regression has no solution."""
        model = self.prepared.model
        R = (factor for _, factor in self.weighted(settings.noise))
        weights = self.prepared.solve(R, model.arrays["e0"], settings.solver.jitter).weights
        return model.with_weights(weights * self._scale[: model.n_weights])

    def without_folds(self, noise: NoiseSettings) -> list[np.ndarray]:
        """R (M + 1, M + 1) of the rows of all folds but one, for the e0 without that one; kept, as
        a search for deltas has the same noise many times."""
        if self._rest is None or self._rest[0] != noise:
            folds = {fold: self._combined(fold, noise) for fold in range(-1, self.n_folds)}
            triangles = [
                self.prepared.collapse([R for k, R in folds.items() if k != fold], e0)
                for fold, e0 in enumerate(self.e0)
            ]
            self._rest = noise, triangles
        return self._rest[1]

    def count(self, label: str, fold: int | None = None) -> int:
        """Number of labels, of all folds and the isolated atoms or of one fold."""
        return sum(
            n
            for (of_fold, of_label, _), n in self.counts.items()
            if of_label == label and fold in (None, of_fold)
        )

    def weighted(
        self, noise: NoiseSettings, fold: int | None = None
    ) -> Iterator[tuple[tuple[int, str, str], np.ndarray]]:
        """Factors over sigma with their keys; labels of infinite sigma are left out."""
        for key, R in self.train.items():
            sigma = level(noise, key[1], key[2])
            if fold in (None, key[0]) and np.isfinite(sigma):
                yield key, R / sigma

    def _combined(self, fold: int, noise: NoiseSettings) -> np.ndarray:
        qr = StreamingQR(self.prepared.width)
        for _, R in self.weighted(noise, fold):
            qr.add(R[:, :-1], R[:, -1])
        return qr.triangle()

    def _error_factors(self, fold: int, label: str) -> list[np.ndarray]:
        found = [R for key, R in self.errors.items() if key == (fold, label)]
        if label == FORCE.name and not self._weighted:
            found += [
                R for key, R in self.train.items() if key[:2] == (fold, label) and key[2] != OWN
            ]
        return found

    def _factor(self, progress: Progress) -> None:
        """One pass over the rows."""
        unit = replace(self.prepared.settings, noise=UNIT_NOISE)
        streams: dict[tuple, StreamingQR] = {}

        def make(structure: Structure) -> np.ndarray:
            return extended_rows(self.prepared.model, structure, unit)

        structures = self.prepared.train
        made = ordered_map(make, progress(structures, "rows of all folds"))
        for structure, fold, rows in zip(structures, self.part.tolist(), made, strict=True):
            for key, part in self._pieces(structure, fold, rows):
                if key not in streams:
                    streams[key] = StreamingQR(self.prepared.width)
                streams[key].add(part[:, :-1], part[:, -1])
        for key in list(streams):
            (self.train if len(key) == 3 else self.errors)[key] = streams.pop(key).triangle()

    def _pieces(self, structure: Structure, fold: int, rows: np.ndarray):
        """(key, rows) of one structure, for training and for errors."""
        for own in label_rows(structure):
            label, group = own.label, own.group
            if group != OWN and group not in self._tables:
                group = DEFAULT
            self.counts[fold, label, group] = self.counts.get((fold, label, group), 0) + own.count
            logs = float(np.log(own.sigma).sum())
            self.log_sigma[label, group] = self.log_sigma.get((label, group), 0.0) + logs
            yield (fold, label, group), rows[own.rows]
            if fold >= 0 and (label != FORCE.name or group == OWN or self._weighted):
                per_atom = len(structure) if LABELS[label].per_atom else 1
                yield (fold, label), rows[own.rows] * (own.sigma / per_atom)[:, None]

    def _e0_without(self, fold: int) -> np.ndarray:
        structures = self.prepared.train
        return self.prepared.e0(
            [s for s, k in zip(structures, self.part, strict=True) if k != fold]
        )

    def _require_memory(self) -> None:
        """One factor for each fold and label, and one more for errors where rows differ."""
        groups = (len(LABELS) * (1 + len(self._tables)) + 2 + self._weighted) * self.n_folds
        width = (self.prepared.width + 1) * self.prepared.has_potential
        needed, available = 8 * groups * (width + 1024) * width, available_bytes()
        needed += self.targets.most_bytes if self.targets else 0
        if available is not None and needed > available:
            raise SoapGprError(
                f"cross-validation with {self.n_folds} folds and {self.prepared.model.n_weights} "
                f"sparse points needs about {needed / 2**30:.1f} GiB and {available / 2**30:.1f} "
                "GiB are free: lower n_sparse or folds"
            )
