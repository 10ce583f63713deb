# SPDX-License-Identifier: BSD-3-Clause
"""``soap-gpr fit --dry-run``: rows, memory and time of a fit, from the data and a short trial."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from potential.runtime.memory import available_bytes
from potential.runtime.parallel import thread_count
from potential.runtime.ranks import world
from potential.settings import FitSettings, TargetSettings
from potential.settings.file import as_settings
from potential.settings.target_tensors import SCALAR
from potential.settings.targets import terms_used
from potential.structures.label_table import n_rows
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.terms.choice import most_weights, trial_settings
from potential.terms.tensor_basis import require_products
from potential.training.auto_noise import LevelGroups, level_groups
from potential.training.blocks import dealt
from potential.training.choice import choose, require_weights
from potential.training.compression import measured_on, require_rows
from potential.training.data import read_fit_data
from potential.training.factor_store import FactorStore, factor_bytes
from potential.training.maps import plan, set_apart
from potential.training.memory import (
    group_bytes,
    kept_bytes,
    n_blocks,
    regression_bytes,
    target_bytes,
)
from potential.training.noise import has_potential, row_sigmas
from potential.training.regression import BUFFER_ROWS, StreamingQR
from potential.training.rows import row_cost, weighted_rows
from potential.training.target_problem import require_priors
from potential.training.tensor_groups import most_sizes

# Structures whose rows are made for the trial.
_TRIAL_STRUCTURES = 3


def estimate(
    settings: FitSettings | Mapping[str, Any] | str | Path, factor: str | Path | None = None
) -> str:
    """What a fit with these settings takes on this machine, as text.

    Reads the data and times rows of a few structures with few sparse points. factor: as in ``fit``;
    when it exists, only new structures need time. Raises SoapGprError as ``fit`` does.
    """
    asked, ranks = as_settings(settings), world()
    require_rows(asked, factor)
    with threadpool_limits(limits=1, user_api="blas"):
        data = ranks.from_first(lambda: read_fit_data(asked))
        asked = data.settings
        settings = replace(asked, noise=asked.noise.start)
        train, warnings, apart = data.train, data.warnings, list[Structure]()
        if factor is None:
            apart, train = set_apart(settings, data.ordered)
        groups = level_groups(asked, train)
        trial = _trial_model(settings, train)
        require_weights(trial)
        require_products(trial, settings)
        require_priors(trial, data.ordered, settings)
        weights, new = most_weights(settings, train, trial), train
        if factor is not None:
            with ranks.together():
                store = FactorStore(factor, settings)
                new = store.new(train)
            if store.choice:
                weights = [term.n_weights for term in store.choice.model.own_terms]
        rows = sum(n_labels(settings, s) for s in train)
        potential = has_potential(settings, data.ordered)
        lines = [
            *([f"Preset         {data.preset}"] if data.preset else []),
            f"Training data  {len(train)} structures, {sum(map(len, train))} atoms, {rows} labels"
            + (f"; {len(new)} structures are new to {factor}" if factor is not None else ""),
            *plan(settings, train, apart),
            *_target_lines(settings, train, trial, weights, potential),
            *_uncertainty_lines(settings, train),
            *_elimination_lines(settings, train),
            *_noise_lines(groups),
            *_compression_lines(settings, train),
        ]
        if potential:
            more = group_bytes(len(groups or ()), settings, sum(weights))
            if factor is not None:
                sizes = sum(weights), len(trial.species)
                more += factor_bytes(train, *sizes, n_blocks=n_blocks(settings))
            lines += _regression_lines(settings, trial, train, new, weights, more)
    return "\n".join(lines + [f"warning: {warning}" for warning in warnings])


def _regression_lines(
    settings: FitSettings,
    trial: TrainingModel,
    train: Sequence[Structure],
    new: Sequence[Structure],
    weights: Sequence[int],
    more: int,
) -> list[str]:
    """What the potential takes; new: structures that rows are made of; weights: of each term; more:
    bytes that are kept beside."""
    n_weights, threads, ranks = sum(weights), thread_count(), world()
    row_seconds = _row_seconds(trial, new, settings) * n_weights / trial.n_weights
    n_new = sum(n_labels(settings, s) for s in new)
    qr_seconds = n_new * 2.0 * n_weights**2 / _qr_flops(min(n_weights, 1000))
    # One thread of a rank rotates rows into the triangle while the others make them.
    seconds = max((row_seconds + qr_seconds) / threads, qr_seconds) / ranks.size
    largest = max(len(structure) for structure in train)
    memory = regression_bytes(n_weights, largest) + kept_bytes(settings, n_weights) + more
    for term, wanted in zip(trial.own_terms, weights, strict=True):
        memory += round(term.training_bytes * wanted / max(1, term.n_weights))
    free = available_bytes()
    return [
        f"Weights        at most {n_weights}",
        f"Memory         {_size(memory)} on each of {ranks.size} rank(s), whatever the number "
        f"of labels, of which {_size(8 * 3 * n_weights**2)} matrices and "
        f"{_size(8 * 2 * BUFFER_ROWS * n_weights)} buffer"
        + (f"; {_size(free)} are free" if free else ""),
        f"Time           about {_duration(seconds)} for the regression with {ranks.size} "
        f"rank(s) of {threads} thread(s), after the choice of sparse points",
    ]


def _target_lines(
    settings: FitSettings,
    train: Sequence[Structure],
    trial: TrainingModel,
    weights: Sequence[int],
    potential: bool,
) -> list[str]:
    """What the targets take; weights: of each term."""
    own = [target for target in settings.targets if target.kernel is None]
    scalars = [target for target in own if target.kind == SCALAR]
    tensors = [target for target in own if target.kind != SCALAR]
    rows, lines, sizes = n_rows(max(map(len, train))), list[str](), list[tuple[int, int]]()
    if scalars:
        used = [terms_used(target, settings.terms) for target in scalars]
        found = [(sum(weights[t] for t in terms), rows) for terms in used]
        text = "regressions on the same sparse points, apart by species where centers are"
        lines.append(_targets_line(scalars, text, found))
        sizes += found
    if tensors:
        found = [own for t in tensors for own in most_sizes(trial, t, settings, train)]
        text = "regressions on sparse environments of their own, apart by λ"
        lines.append(_targets_line(tensors, text, found))
        sizes += found
    if sizes:
        needed = _size(target_bytes(sizes, n_blocks(settings)))
        more = ", and their time, come on top of what is below" if potential else " on each rank"
        lines.append(f"               {needed} of memory for all of these{more}")
    if kernels := ", ".join(
        target.name for target in settings.targets if target.kernel is not None
    ):
        more = "; their time and memory come on top"
        lines.append(f"Targets        {kernels}: kernels with sparse structures{more}")
    return lines


def _targets_line(
    targets: Sequence[TargetSettings], text: str, sizes: Sequence[tuple[int, int]]
) -> str:
    names = ", ".join(target.name for target in targets)
    return f"Targets        {names}: {text}; at most {sum(n for n, _ in sizes)} weights"


def _uncertainty_lines(settings: FitSettings, train: Sequence[Structure]) -> list[str]:
    own, blocks = settings.uncertainty, dealt(settings, train)
    if own is None or blocks is None:
        return []
    measures = [f"committee of {own.committee}"] * bool(own.committee) + ["variance"] * own.variance
    n = min(own.calibration, sum(blocks.sizes))
    return [
        f"Uncertainty    {', '.join(measures)}; {blocks.n_blocks} blocks by {blocks.kind}, "
        f"calibration on {n} structures; its time comes on top of what is below"
    ]


def _elimination_lines(settings: FitSettings, train: Sequence[Structure]) -> list[str]:
    tolerance, blocks = settings.solver.sparse_tolerance, dealt(settings, train)
    if tolerance is None or blocks is None:
        return []
    return [
        f"Elimination    the fewest sparse points with {1 + tolerance:g} times the error of all, "
        f"by {blocks.n_blocks} blocks of structures; its time comes on top of what is below"
    ]


def _compression_lines(settings: FitSettings, train: Sequence[Structure]) -> list[str]:
    own = settings.compress
    if own is None:
        return []
    structures = measured_on(own, train)
    again = "; the regression is made twice" * own.refit
    return [
        f"Compression    forces within {1e3 * own.force:g} meV/Å on {len(structures)} structures, "
        f"{sum(map(len, structures))} atoms{again}; its time comes on top of what is below"
    ]


def _noise_lines(groups: LevelGroups | None) -> list[str]:
    if not groups:
        return []
    names = (f"{group.table} {', '.join(group.levels())}" for group in groups.groups)
    return [f"Noise          levels to be found after the regression: {'; '.join(names)}"]


def _trial_model(settings: FitSettings, train: Sequence[Structure]) -> TrainingModel:
    """The model with few sparse points, chosen at random from a part of the structures."""
    thinned, missing = [], {int(z) for structure in train for z in structure.numbers}
    for k, structure in enumerate(train):
        if k % (1 + len(train) // 20) == 0 or missing & set(structure.numbers.tolist()):
            thinned.append(structure)
            missing -= set(structure.numbers.tolist())
    return choose(trial_settings(settings, train), thinned).model


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
