# SPDX-License-Identifier: BSD-3-Clause
"""Training: settings → data → sparse points → regression → model (theory.md section 5)."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.output import require_outputs
from potential.runtime.progress import Progress, bar, silent
from potential.runtime.ranks import Ranks, world
from potential.scores import metrics
from potential.settings import FitSettings
from potential.settings.file import as_settings
from potential.structures.check import check
from potential.structures.label_names import STANDARD
from potential.structures.read import fingerprint, read_data_set
from potential.structures.structure import Structure, symbol
from potential.terms import TrainingModel
from potential.terms.choice import choose_sparse_points, unused_species
from potential.training.accumulation import accumulate
from potential.training.baseline import isolated_atom_energies
from potential.training.checkpoint import Checkpoint, checkpoint_path, digest
from potential.training.factor_store import FactorStore, factor_bytes
from potential.training.memory import require_memory
from potential.training.noise import unused_config_types
from potential.training.provenance import provenance
from potential.training.regression import Solution, solve


@dataclass
class FitResult:
    """A fitted model with what there is to say about the fit."""

    model: Model
    train: list[Structure]
    test: list[Structure]
    train_errors: metrics.Errors
    test_errors: metrics.Errors
    provenance: dict[str, Any]  # what the model file stores: counts, errors, hashes, versions
    warnings: list[str] = field(default_factory=list)
    checkpoint: Checkpoint | None = None  # to be removed once the model is safe


def fit(
    settings: FitSettings | Mapping[str, Any] | str | Path,
    *,
    progress: bool = True,
    checkpoint: str | Path | None = None,
    factor: str | Path | None = None,
) -> FitResult:
    """Train a model.

    settings: the path of a fit.toml, the same as nested dictionaries, or FitSettings. progress:
    bars on stderr when that is a terminal. checkpoint: a file that keeps the state of the
    regression; a later call with the same settings, data and number of ranks goes on from it.
    factor: a file that keeps the triangular factors; a later call with other noise, e0 or jitter,
    or with more structures, keeps the sparse points and makes rows for new structures alone. The
    result does not depend on the order of the structures, and on the number of threads and MPI
    ranks in rounding alone. On several ranks all of them call this and get the same result. Raises
    SoapGprError for anything a user can put right.
    """
    settings, ranks = as_settings(settings), world()
    if checkpoint and factor:
        raise SoapGprError("found a checkpoint and a factor, expected one of them")
    with ranks.together():
        require_outputs([checkpoint and checkpoint_path(checkpoint, ranks), factor])
    # Threads are spread over structures. BLAS threads beside them wait for each other in every
    # small product, which takes for ever beside other work.
    with threadpool_limits(limits=1, user_api="blas"):
        shown = bar if progress and ranks.is_first else silent
        return FitRun(settings, ranks, shown, checkpoint, factor).run()


class FitRun:
    """One fit under way: each step leaves its result, its time and its warnings here."""

    def __init__(
        self,
        settings: FitSettings,
        ranks: Ranks,
        progress: Progress,
        checkpoint: str | Path | None = None,
        factor: str | Path | None = None,
    ):
        self.settings = as_settings(settings)
        self.ranks = ranks
        self.progress = progress
        self.checkpoint_path = checkpoint
        self.factor_path = factor
        self.warnings: list[str] = []
        self.names = STANDARD  # of the labels, once they are read
        self.seconds: dict[str, float] = {}

    def run(self) -> FitResult:
        with self._timed("read"):
            (train, test, self.warnings), self.names = self.ranks.from_first(
                lambda: (self.read(), self.names)
            )
        # The order decides the last digits of the weights: make it one that files do not set.
        ordered = sorted(train, key=fingerprint)
        checkpoint = self._checkpoint(ordered)
        if self.factor_path is None:
            with self._timed("sparse points"):
                model = self._sparse_model(ordered, checkpoint)
                if checkpoint:  # made by the same fit, but maybe in another folder
                    model = model.with_record(settings=self.settings.to_dict())
            with self._timed("regression"):
                triangle, n_rows = self._triangle(model, ordered, checkpoint)
        else:
            model, triangle, n_rows = self._from_factor(self.factor_path, ordered)
        with self._timed("solution"):
            solution = self._solve(model, triangle, n_rows)
        model = model.with_weights(solution.weights)
        with self._timed("errors"):
            train_errors = self._errors(model, train, "training errors")
            test_errors = self._errors(model, test, "test errors")
        record = provenance(
            self.settings, model, train, test, train_errors, test_errors, solution, n_rows
        ) | {
            "labels": self.names.to_dict(),
            "ranks": self.ranks.size,
            "seconds": self.seconds,
            "warnings": self.warnings,
        }
        model = model.with_record(provenance=record)
        return FitResult(
            model, train, test, train_errors, test_errors, record, self.warnings, checkpoint
        )

    def _checkpoint(self, train: list[Structure]) -> Checkpoint | None:
        if self.checkpoint_path is None:
            return None
        with self.ranks.together():
            checkpoint = Checkpoint(self.checkpoint_path, self.ranks, digest(self.settings, train))
        return checkpoint

    def read(self) -> tuple[list[Structure], list[Structure], list[str]]:
        """Training and test structures, and warnings."""
        data = self.settings.data
        found = read_data_set(data.train, data.keys)
        structures, self.names = found.structures, found.names
        self.warnings += found.doubts + found.notes
        train = [structure for structure in structures if structure.has_labels]
        if len(train) < len(structures):
            count = len(structures) - len(train)
            self.warnings.append(f"{count} training structures carry no labels and were left out")
        self.warnings += [finding.message for finding in check(train)]
        self.warnings += unused_config_types(self.settings.noise, train)
        self.warnings += unused_species(self.settings, train)
        if all(s.energy is None for s in train):
            self.warnings.append("no energies were read: the zero of energy is arbitrary")
        test = self._read_test() if data.test else []
        _require_known_species({int(z) for s in train for z in s.numbers}, test)
        known = {fingerprint(structure) for structure in train}
        shared = sum(fingerprint(structure) in known for structure in test)
        if shared:
            self.warnings.append(f"{shared} test structures are training structures as well")
        return train, test, self.warnings

    def _read_test(self) -> list[Structure]:
        """Test structures; they may lack labels that training must have, such as virials."""
        data = self.settings.data
        test = read_data_set(data.test, data.keys, required_keys=(), trained=self.names)
        said = test.doubts + test.notes
        self.warnings += [f"test: {line}" for line in said if line not in self.warnings]
        return test.structures

    def _sparse_model(self, train: list[Structure], checkpoint: Checkpoint | None) -> TrainingModel:
        """The model with its sparse points chosen and all weights zero, fixed terms at the end."""
        # A rank that was killed before it wrote anything takes up the model of one that did.
        with self.ranks.together():
            stored = checkpoint.model if checkpoint else None
        holders = self.ranks.all_gather(stored is not None)
        if any(holders):
            first = holders.index(True)
            own = stored.to_bytes() if stored and self.ranks.rank == first else b""
            return TrainingModel(self.ranks.all_gather(own)[first])
        model, self.warnings = self.ranks.from_first(
            lambda: (self.choose_sparse_points(train), self.warnings)
        )
        return model

    def choose_sparse_points(self, train: list[Structure]) -> TrainingModel:
        """As above, chosen here."""
        species = sorted({int(z) for structure in train for z in structure.numbers})
        e0 = isolated_atom_energies(self.settings.baseline, train, species)
        model, warnings = choose_sparse_points(self.settings, train, species, e0, self.progress)
        self.warnings += warnings
        return model

    def _triangle(
        self, model: TrainingModel, train: list[Structure], checkpoint: Checkpoint | None
    ) -> tuple[np.ndarray, int]:
        self.require_possible(model, train)
        found = accumulate(model, train, self.settings, self.ranks, self.progress, checkpoint)
        self._warn_of_files(checkpoint.warning if checkpoint else "")
        return found

    def _from_factor(
        self, path: str | Path, train: list[Structure]
    ) -> tuple[TrainingModel, np.ndarray, int]:
        """Model without weights, factor and number of rows, with rows of new structures alone."""
        with self.ranks.together():
            store = FactorStore(path, self.settings)
            new = store.new(train)
            if store.model:
                _require_known_species(store.model.species, new)
        with self._timed("sparse points"):
            model = store.model or self._sparse_model(train, None)
        self.require_possible(model, train)
        with self._timed("regression"):
            store.add(model, new, self.settings, self.ranks, self.progress)
        e0 = isolated_atom_energies(self.settings.baseline, train, model.species)
        triangle, n_rows = self.ranks.from_first(lambda: store.triangle(self.settings, e0))
        self._warn_of_files(self._saved(store) if self.ranks.is_first and new else "")
        model = model.with_arrays({"e0": e0}).with_record(settings=self.settings.to_dict())
        return model, triangle, n_rows

    @staticmethod
    def _saved(store: FactorStore) -> str:
        """Why the factors could not be written, which is not worth the fit."""
        try:
            store.save()
        except SoapGprError as error:
            return f"{error}; the fit went on without this factor"
        return ""

    def _warn_of_files(self, warning: str) -> None:
        """What each rank could not write, known to all of them."""
        self.warnings = [*self.warnings, *filter(None, self.ranks.all_gather(warning))]

    def require_possible(self, model: TrainingModel, train: list[Structure]) -> None:
        """Raise SoapGprError when there is nothing to fit, or not the memory for it."""
        require_weights(model)
        with self.ranks.together():
            n_atoms = max(len(structure) for structure in train)
            more = sum(term.training_bytes for term in model.own_terms)
            if self.factor_path is not None:
                more += factor_bytes(train, model.n_weights, len(model.species))
            require_memory(model.n_weights, n_atoms, more, self.ranks.size)

    def _solve(self, model: TrainingModel, triangle: np.ndarray, n_rows: int) -> Solution:
        if n_rows == 0:
            raise SoapGprError("[noise]: found inf for every label, expected some to be fitted")
        jitter = self.settings.solver.jitter
        return self.ranks.from_first(
            lambda: solve(triangle, model.kernel_matrix(), jitter, overwrite=True)
        )

    def _errors(self, model: Model, structures: list[Structure], what: str) -> metrics.Errors:
        if not structures:
            return {metrics.ALL: {}}
        mine = range(self.ranks.rank, len(structures), self.ranks.size)
        with self.ranks.together():
            own = evaluate_structures(model, [structures[k] for k in mine], self.progress, what)
        parts = self.ranks.all_gather(own)
        predictions = [parts[k % len(parts)][k // len(parts)] for k in range(len(structures))]
        return metrics.errors(structures, predictions)

    @contextmanager
    def _timed(self, step: str):
        start = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - start, 3)


def require_weights(model: Model) -> None:
    """Raise SoapGprError when there is nothing to fit."""
    if model.n_weights == 0:
        raise SoapGprError(
            "found no environment with any neighbour within cutoff in the training structures, "
            "expected some"
        )


def _require_known_species(species: Collection[int], structures: Sequence[Structure]) -> None:
    for structure in structures:
        unknown = sorted({int(z) for z in structure.numbers} - set(species))
        if unknown:
            raise SoapGprError(
                f"{structure.source}: found {', '.join(map(symbol, unknown))}, expected only "
                f"{', '.join(symbol(z) for z in sorted(species))} as in training"
            )
