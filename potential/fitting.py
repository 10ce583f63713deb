# SPDX-License-Identifier: BSD-3-Clause
"""Training: settings → data → sparse points → regression → model (theory.md section 5)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from potential import metrics
from potential.baseline import composition, isolated_atom_energies
from potential.basis import tabulate
from potential.data import fingerprint, read_structures
from potential.environments import sparse_points
from potential.errors import SoapGprError
from potential.evaluation import evaluate_structures, naming
from potential.kernels import sparse_kernel, structure_rows
from potential.model import Model, build_model
from potential.noise import label_sigmas, unused_config_types
from potential.parallel import ordered_map
from potential.progress import Progress, bar, silent
from potential.provenance import provenance
from potential.regression import Solution, StreamingQR, solve
from potential.resources import require_memory, require_one_process
from potential.settings import FitSettings, load_settings, parse_settings
from potential.structure import VOIGT, Structure, symbol


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


def fit(
    settings: FitSettings | Mapping[str, Any] | str | Path, *, progress: bool = True
) -> FitResult:
    """Train a model.

    settings: the path of a fit.toml, the same as nested dictionaries, or FitSettings. progress:
    bars on stderr when that is a terminal. The result does not depend on the order of the
    structures. Raises SoapGprError for anything a user can put right.
    """
    if isinstance(settings, (str, Path)):
        settings = load_settings(settings)
    elif not isinstance(settings, FitSettings):
        settings = parse_settings(settings)
    require_one_process()
    # Threads are spread over structures. BLAS threads beside them wait for each other in every
    # small product, which takes for ever beside other work.
    with threadpool_limits(limits=1, user_api="blas"):
        return _Fit(settings, bar if progress else silent).run()


class _Fit:
    """One fit under way: each step leaves its result, its time and its warnings here."""

    def __init__(self, settings: FitSettings, progress: Progress):
        self.settings = settings
        self.progress = progress
        self.warnings: list[str] = []
        self.seconds: dict[str, float] = {}

    def run(self) -> FitResult:
        with self._timed("read"):
            train, test = self._read()
        species = sorted({int(z) for structure in train for z in structure.numbers})
        # The order decides the last digits of the weights: make it one that files do not set.
        ordered = sorted(train, key=fingerprint)
        e0 = isolated_atom_energies(self.settings.baseline, ordered, species)
        with self._timed("sparse points"):
            model = self._sparse_model(ordered, species, e0)
        with self._timed("regression"):
            solution, n_rows = self._regression(model, ordered)
        model = model.with_weights(solution.weights)
        with self._timed("errors"):
            train_errors = self._errors(model, train, "training errors")
            test_errors = self._errors(model, test, "test errors")
        record = provenance(
            self.settings, model, train, test, train_errors, test_errors, solution, n_rows
        ) | {"seconds": self.seconds, "warnings": self.warnings}
        model = model.with_weights(solution.weights, provenance=record)
        return FitResult(model, train, test, train_errors, test_errors, record, self.warnings)

    def _read(self) -> tuple[list[Structure], list[Structure]]:
        data = self.settings.data
        structures = read_structures(data.train, data.keys, warnings=self.warnings)
        train = [structure for structure in structures if structure.has_labels]
        if len(train) < len(structures):
            count = len(structures) - len(train)
            self.warnings.append(f"{count} training structures carry no labels and were left out")
        self.warnings += unused_config_types(self.settings.noise, train)
        if all(s.energy is None for s in train):
            self.warnings.append("no energies were read: the zero of energy is arbitrary")
        test = self._read_test() if data.test else []
        _require_known_species(train, test)
        known = {fingerprint(structure) for structure in train}
        shared = sum(fingerprint(structure) in known for structure in test)
        if shared:
            self.warnings.append(f"{shared} test structures are training structures as well")
        return train, test

    def _read_test(self) -> list[Structure]:
        """Test structures; they may lack labels that training must have, such as virials."""
        data, doubts = self.settings.data, list[str]()
        test = read_structures(data.test, data.keys, required_keys=(), warnings=doubts)
        self.warnings += [f"test: {doubt}" for doubt in doubts if doubt not in self.warnings]
        return test

    def _sparse_model(self, train: list[Structure], species: list[int], e0: np.ndarray) -> Model:
        """The model with its sparse points chosen and all weights zero."""
        terms = [
            {
                "kind": term.kind,
                "cutoff": term.cutoff,
                "l_max": term.l_max,
                "zeta": term.zeta,
                "delta": term.delta,
                "normalize": True,
                **tabulate(term.soap_basis(), species),
            }
            for term in self.settings.terms
        ]
        tables = build_model(species, e0.tolist(), terms)
        for t, term in enumerate(self.settings.terms):
            points, warnings = sparse_points(tables, t, term, train, self.progress)
            terms[t]["sparse_points"] = points
            self.warnings += warnings
        return build_model(species, e0.tolist(), terms, settings=self.settings.to_dict())

    def _regression(self, model: Model, train: list[Structure]) -> tuple[Solution, int]:
        if model.n_weights == 0:
            raise SoapGprError(
                "found no environment with any neighbour in the training structures, expected some"
            )
        require_memory(model.n_weights, max(len(structure) for structure in train))
        qr = StreamingQR(model.n_weights)

        def rows_of(structure: Structure):
            return weighted_rows(model, structure, self.settings)

        for rows, targets in ordered_map(rows_of, self.progress(train, "regression")):
            qr.add(rows, targets)
        if qr.n_rows == 0:
            raise SoapGprError("[noise]: found inf for every label, expected some to be fitted")
        triangle, n_rows = qr.triangle(), qr.n_rows
        del qr  # its buffer is the largest array of the fit
        return solve(triangle, sparse_kernel(model), self.settings.solver.jitter), n_rows

    def _errors(self, model: Model, structures: list[Structure], what: str) -> metrics.Errors:
        if not structures:
            return {metrics.ALL: {}}
        predictions = evaluate_structures(model, structures, self.progress, what)
        return metrics.errors(structures, predictions)

    @contextmanager
    def _timed(self, step: str):
        start = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - start, 3)


def weighted_rows(
    model: Model, structure: Structure, settings: FitSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n_labels, n_weights) and targets (n_labels,) of one structure, both over sigma."""
    sigmas = label_sigmas(settings.noise, structure)
    gradients = structure.forces is not None or structure.virial is not None
    with naming(structure):
        rows = structure_rows(model, structure, gradients)
    sigma, target = np.full(len(rows), np.inf), np.zeros(len(rows))
    if structure.energy is not None:
        e0 = model.arrays["e0"] @ composition(structure, model.species)
        sigma[0], target[0] = sigmas.energy, structure.energy - e0
    end = 1 + 3 * len(structure)
    if structure.forces is not None:
        sigma[1:end], target[1:end] = sigmas.force, structure.forces.ravel()
    if structure.virial is not None:
        sigma[end:], target[end:] = sigmas.virial, structure.virial[VOIGT]
    used = np.isfinite(sigma)
    sigma, target = sigma[used], target[used]
    rows = rows[used]
    rows /= sigma[:, None]
    return rows, target / sigma


def _require_known_species(train: Sequence[Structure], test: Sequence[Structure]) -> None:
    species = {int(z) for structure in train for z in structure.numbers}
    for structure in test:
        unknown = sorted({int(z) for z in structure.numbers} - species)
        if unknown:
            raise SoapGprError(
                f"{structure.source}: found {', '.join(map(symbol, unknown))} in a test structure, "
                f"expected only {', '.join(symbol(z) for z in sorted(species))} as in training"
            )
