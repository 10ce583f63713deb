# SPDX-License-Identifier: BSD-3-Clause
"""Labels of atoms that contradict those of like environments: ``soap-gpr check --atom-key``.

Each half of the structures is predicted by a model of the other half. A label is odd whose residual
is far above what is usual for its species. Then once more, without the frames that are odd, which
bend what is predicted for others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import evaluate_structures
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings, SoapTermSettings, TargetSettings
from potential.structures.check import Finding
from potential.structures.structure import Structure, symbol
from potential.structures.target_labels import TargetLabel
from potential.training.choice import choose
from potential.training.targets import fit_targets

TERM = SoapTermSettings(cutoff=4.5, n_max=6, l_max=4, zeta=2, n_sparse=500)
NOISE = 0.1  # of the spread of the labels, so that odd ones do not bend the model to themselves
ODD = 10.0  # robust standard deviations of the residuals of a species
ODD_OF_SPREAD = 0.5  # and of the spread of the labels, where the residuals are tiny
ROUNDS = 2
LEAST = 30  # labels of a species in each half, without which there is nothing to compare


def odd_labels(
    structures: Sequence[Structure], label: TargetLabel, progress: Progress = silent
) -> tuple[list[Finding], list[str]]:
    """One finding for each species with odd labels, and the frames that have them, worst first; and
    what could not be compared.

    label: of atoms. Raises SoapGprError when there are too few labels to compare.
    """
    labelled = [s for s in structures if label.name in s.targets]
    order = np.random.default_rng(0).permutation(len(labelled))
    halves = [[labelled[k] for k in sorted(order[half::2])] for half in (0, 1)]
    findings, notes = list[Finding](), list[str]()
    for _ in range(ROUNDS):
        odd = {source for finding in findings for source in finding.frames}
        findings, notes = _compared(halves, label, odd, progress)
    return findings, notes


def _compared(
    halves: Sequence[Sequence[Structure]], label: TargetLabel, odd: set[str], progress: Progress
) -> tuple[list[Finding], list[str]]:
    """Findings of models that do not learn from the frames that were odd before, and notes."""
    kept = [[s for s in half if s.source not in odd] for half in halves]
    spreads = _spreads(kept, label)
    if not spreads:
        raise SoapGprError(
            f"{label.key}: found fewer than {2 * LEAST} labels of every species that vary, "
            "expected more to compare"
        )
    tested, residuals = list[Structure](), list[np.ndarray]()
    for own, other in zip(kept, halves[::-1], strict=True):
        model = _model(own, label, spreads, progress)
        known = [s for s in other if set(s.numbers.tolist()) <= set(model.species)]
        found = evaluate_structures(model, known, progress, "labels", labels_only=True)
        tested += known
        residuals += [
            np.abs(p.properties[label.name] - s.targets[label.name])
            for s, p in zip(known, found, strict=True)
        ]
    findings = [
        own for z in sorted(spreads) for own in _findings(tested, residuals, label, z, spreads[z])
    ]
    return findings, _notes(halves, label, spreads, sum(map(len, halves)) - len(tested))


def _notes(
    halves: Sequence[Sequence[Structure]],
    label: TargetLabel,
    spreads: dict[int, float],
    n_left_out: int,
) -> list[str]:
    """What could not be compared: species, and a number of frames."""
    there = {z for half in halves for s in half for z in s.numbers.tolist()}
    notes = [
        f"{label.key} of {symbol(z)} was not compared: fewer than {LEAST} labels in a half, or all "
        "equal"
        for z in sorted(there - set(spreads))
    ]
    if n_left_out:
        frames, their = (
            ("1 frame was", "its") if n_left_out == 1 else (f"{n_left_out} frames were", "their")
        )
        notes.append(
            f"{label.key} of {frames} not compared: {their} species are not in both halves"
        )
    return notes


def _spreads(halves: Sequence[Sequence[Structure]], label: TargetLabel) -> dict[int, float]:
    """Standard deviation of the labels of each species that has enough of them."""
    numbers, labels = (
        [np.concatenate([of(s) for s in half]) for half in halves]
        for of in (lambda s: s.numbers, lambda s: s.targets[label.name])
    )
    spreads = {}
    for z in np.unique(np.concatenate(numbers)).tolist():
        own = [x[(n == z) & np.isfinite(x)] for n, x in zip(numbers, labels, strict=True)]
        if min(map(len, own)) >= LEAST and np.ptp(np.concatenate(own)) > 0:
            spreads[z] = float(np.std(np.concatenate(own)))
    return spreads


def _model(
    structures: Sequence[Structure],
    label: TargetLabel,
    spreads: dict[int, float],
    progress: Progress,
) -> Model:
    target = TargetSettings(
        name=label.name,
        key=label.key,
        column=label.column,
        species=tuple(map(symbol, spreads)),
        noise={symbol(z): NOISE * spread for z, spread in spreads.items()},
    )
    settings = FitSettings(terms=(TERM,), targets=(target,))
    choice = choose(settings, structures, progress)
    return fit_targets(choice.model, structures, settings, Ranks(), progress, potential=False).model


def _findings(
    structures: Sequence[Structure],
    residuals: Sequence[np.ndarray],
    label: TargetLabel,
    z: int,
    spread: float,
) -> Iterator[Finding]:
    pairs = zip(structures, residuals, strict=True)
    largest = np.array([np.nanmax(r[s.numbers == z], initial=0.0) for s, r in pairs])
    own = np.concatenate(residuals)[np.concatenate([s.numbers for s in structures]) == z]
    typical = 1.4826 * float(np.nanmedian(own))
    limit = max(ODD * typical, ODD_OF_SPREAD * spread)
    bad = [k for k in np.argsort(-largest).tolist() if largest[k] > limit]
    if bad:
        one = len(bad) == 1
        yield Finding(
            "odd labels",
            f"{len(bad)} frame{'' if one else 's'} with {label.key} of {symbol(z)} up to "
            f"{largest[bad[0]]:.3g} from what like environments have, usual are {typical:.2g} "
            f"({'' if one else 'worst: '}{structures[bad[0]].source}): look whether they are of "
            "another method, or of atoms in another order",
            tuple(structures[k].source for k in bad),
        )
