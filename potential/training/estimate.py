# SPDX-License-Identifier: BSD-3-Clause
"""``soap-gpr fit --dry-run``: rows, memory and time of a fit, from the data and a short trial."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from potential.model import Model
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import thread_count
from potential.runtime.progress import silent
from potential.runtime.ranks import Ranks, world
from potential.settings import FitSettings, SoapTermSettings, TripletTermSettings
from potential.structures.structure import Structure, symbol
from potential.terms.derivatives import gradient_bytes, has_derivatives
from potential.terms.points_file import points_from_file
from potential.terms.soap_points import n_sparse
from potential.training.accumulation import row_cost, weighted_rows
from potential.training.factor_store import FactorStore, factor_bytes
from potential.training.fitting import FitRun, as_settings, require_weights
from potential.training.memory import regression_bytes
from potential.training.noise import row_sigmas
from potential.training.regression import BUFFER_ROWS, StreamingQR

# Structures whose rows are made for the trial, and sparse points per species of it at most.
_TRIAL_STRUCTURES = 3
_TRIAL_SPARSE = 200


def estimate(
    settings: FitSettings | Mapping[str, Any] | str | Path, factor: str | Path | None = None
) -> str:
    """What a fit with these settings takes on this machine, as text.

    Reads the data and times rows of a few structures with few sparse points. factor: as in ``fit``;
    when it exists, only new structures need time. Raises SoapGprError as ``fit`` does.
    """
    settings, ranks = as_settings(settings), world()
    with threadpool_limits(limits=1, user_api="blas"):
        train, _, warnings = FitRun(settings, ranks, silent).read()
        trial = _trial_model(settings, train)
        require_weights(trial)
        weights, new = _most_weights(settings, train, trial), train
        if factor is not None:
            with ranks.together():
                store = FactorStore(factor, settings)
                new = store.new(train)
            if store.model:
                weights = [store.model.n_term_weights(t) for t in range(len(trial.terms))]
        n_weights = sum(weights)
        rows, new_rows = (sum(n_labels(settings, s) for s in own) for own in (train, new))
        row_seconds = _row_seconds(trial, new, settings) * n_weights / trial.n_weights
        qr_seconds = new_rows * 2.0 * n_weights**2 / _qr_flops(min(n_weights, 1000))
    threads = thread_count()
    # One thread of a rank rotates rows into the triangle while the others make them.
    seconds = max((row_seconds + qr_seconds) / threads, qr_seconds) / ranks.size
    largest = max(len(structure) for structure in train)
    memory = regression_bytes(n_weights, largest)
    for t, wanted in enumerate(weights):
        if has_derivatives(trial.terms[t]):  # the trial has a part of the sparse structures
            memory += round(gradient_bytes(trial, t) * wanted / max(1, trial.n_term_weights(t)))
    if factor is not None:
        memory += factor_bytes(train, n_weights, len(trial.species))
    free = available_bytes()
    lines = [
        f"Training data  {len(train)} structures, {sum(map(len, train))} atoms, {rows} labels"
        + (f"; {len(new)} structures are new to {factor}" if factor is not None else ""),
        f"Weights        at most {n_weights}",
        f"Memory         {_size(memory)} on each of {ranks.size} rank(s), whatever the number of "
        f"labels, of which {_size(8 * 3 * n_weights**2)} matrices and "
        f"{_size(8 * 2 * BUFFER_ROWS * n_weights)} buffer"
        + (f"; {_size(free)} are free" if free else ""),
        f"Time           about {_duration(seconds)} for the regression with {ranks.size} rank(s) "
        f"of {threads} thread(s), after the choice of sparse points",
    ]
    return "\n".join(lines + [f"warning: {warning}" for warning in warnings])


def _trial_model(settings: FitSettings, train: Sequence[Structure]) -> Model:
    """The model with few sparse points, chosen at random from a part of the structures."""
    terms = tuple(
        replace(
            term,
            n_sparse=_trial_sparse(term, train),
            n_sparse_config_type={},
            sparse_method="random",
            sparse_file=None,
        )
        if isinstance(term, SoapTermSettings)
        else term
        for term in settings.terms
    )
    thinned, missing = [], {int(z) for structure in train for z in structure.numbers}
    for k, structure in enumerate(train):
        if k % (1 + len(train) // 20) == 0 or missing & set(structure.numbers.tolist()):
            thinned.append(structure)
            missing -= set(structure.numbers.tolist())
    run = FitRun(replace(settings, terms=terms), Ranks(), silent)
    return run.choose_sparse_points(thinned)


def _trial_sparse(term: SoapTermSettings, train: Sequence[Structure]) -> int:
    """Few environments per species, or the coordinates of at least one structure."""
    if term.sparse_basis == "environments":
        return _TRIAL_SPARSE
    assert isinstance(term.n_sparse, int)
    smallest = min((3 * len(structure) for structure in train if len(structure) > 1), default=1)
    return min(term.n_sparse, max(_TRIAL_SPARSE, smallest))


def _most_weights(settings: FitSettings, train: Sequence[Structure], trial: Model) -> list[int]:
    """Weights of each term of the fit if all sparse points asked for are found."""
    atoms = Counter(symbol(z) for structure in train for z in structure.numbers.tolist())
    coordinates = 3 * sum(len(structure) for structure in train if len(structure) > 1)
    weights = [trial.n_term_weights(t) for t in range(len(trial.terms))]
    for t, term in enumerate(settings.terms):
        if isinstance(term, TripletTermSettings):
            found = sum(len(points) > 0 for points in trial.sparse_points(t).values())
            weights[t] = found * term.n_sparse
        if not isinstance(term, SoapTermSettings):
            continue
        if term.sparse_basis == "derivatives":
            assert isinstance(term.n_sparse, int)
            weights[t] = min(term.n_sparse, coordinates)
        elif term.sparse_method == "file":
            weights[t] = sum(map(len, points_from_file(trial, t, term).values()))
        else:
            weights[t] = sum(min(n_sparse(term, name), count) for name, count in atoms.items())
    return weights


def n_labels(settings: FitSettings, structure: Structure) -> int:
    """Labels of a structure that are fitted: those with a finite sigma."""
    return int(np.isfinite(row_sigmas(settings.noise, structure)).sum())


def _row_seconds(trial, train: Sequence[Structure], settings: FitSettings) -> float:
    """Time of all rows on one thread: a few structures' time, scaled by atoms and neighbours."""
    if not train:
        return 0.0
    costs = [row_cost(structure, trial.cutoff) for structure in train]
    order = np.argsort(costs)
    chosen = {int(order[len(order) * (2 * k + 1) // (2 * _TRIAL_STRUCTURES)]) for k in range(3)}
    weighted_rows(trial, train[min(chosen)], settings)  # the first call pays for lazy things
    start = time.perf_counter()
    for k in chosen:
        weighted_rows(trial, train[k], settings)
    return (time.perf_counter() - start) * sum(costs) / sum(costs[k] for k in chosen)


def _qr_flops(n_weights: int) -> float:
    """Floating-point operations per second of the triangle's update."""
    qr = StreamingQR(n_weights)
    block = np.random.default_rng(0).normal(size=(BUFFER_ROWS, n_weights))
    start = time.perf_counter()
    qr.add(block, block[:, 0])
    return 2.0 * BUFFER_ROWS * n_weights**2 / (time.perf_counter() - start)


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 2**30:.2f} GiB" if n_bytes > 2**30 else f"{n_bytes / 2**20:.0f} MiB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
