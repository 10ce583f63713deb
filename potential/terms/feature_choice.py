# SPDX-License-Identifier: BSD-3-Clause
"""Which features a term keeps, chosen on training environments (docs/theory.md eq. 5g, 5i)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.selection.columns import choose_columns
from potential.selection.select import distinct_environments
from potential.structures.structure import Structure
from potential.terms.columns import n_columns
from potential.terms.soap_points import thinned_features
from potential.terms.term import RECORD, Draft

# Features of the environments that the choice is made on.
SAMPLE_BYTES = 128 * 2**20
# Features among which it is made; of more, as bispectra have, a random part.
CANDIDATES = 20_000


def with_selection(
    draft: Draft,
    settings: Any,
    model_of: Callable[[Draft], Model],
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> tuple[Draft, list[str]]:
    """The draft with the features that ``settings.feature_selection`` asks for, and warnings.

    model_of: makes the model of a draft alone. The choice does not depend on the order of the
    structures. Raises SoapGprError.
    """
    wanted, total = settings.feature_selection, n_columns(draft)
    if wanted.n_features is not None and wanted.n_features > min(total, CANDIDATES):
        most = f"{total}, all features" if total <= CANDIDATES else f"{CANDIDATES}"
        raise settings.place().says(
            f"feature_selection: found n_features = {wanted.n_features}, expected at most {most} "
            "of the term"
        )
    if total > CANDIDATES:
        rng = np.random.default_rng(settings.seed)
        candidates = np.sort(rng.choice(total, CANDIDATES, replace=False))  # lists no others
        draft = _with_features(draft, candidates)
    else:
        candidates = np.arange(total)
    X = _sample(model_of(draft), settings, structures, progress)
    if not X.any():
        raise SoapGprError("found no environment with a neighbour to select features on")
    found = choose_columns(
        X,
        wanted.method,
        n=wanted.n_features,
        tolerance=wanted.tolerance,
        seed=settings.seed,
        progress=progress,
    )
    n = len(found.chosen)
    record = {"method": wanted.method, "features": total, "kept": n, "residual": found.residual}
    draft = _with_features(draft, candidates[found.chosen])
    draft[RECORD] = draft.get(RECORD, {}) | {"feature_selection": record}
    if wanted.recouple:
        draft["recoupling"] = found.recoupling()
    if wanted.n_features is None or n == wanted.n_features:
        return draft, []
    return draft, [
        f"only {n} features are independent in the training environments, {wanted.n_features} "
        "were asked for"
    ]


def _with_features(draft: Draft, places: np.ndarray) -> Draft:
    return draft | {"features": places, "feature_scale": np.ones(len(places))}


def _sample(
    model: Model, settings: Any, structures: Sequence[Structure], progress: Progress
) -> np.ndarray:
    """Features (n, n_features) of training environments, over the root of the number of those of
    their species: each species weighs the same (eq. 5g)."""
    species = np.concatenate([model.species_indices(s.numbers) for s in structures])
    counts = np.bincount(species, minlength=len(model.species))
    room = SAMPLE_BYTES / (8.0 * model.core.n_features(0) * np.count_nonzero(counts))
    shares = [np.minimum(1.0, room / np.maximum(counts, 1))] * len(structures)
    X, species, _ = thinned_features(model, 0, structures, shares, settings.seed, progress)
    rows = []
    for a in np.unique(species):
        own = X[species == a]
        own = own[distinct_environments(own, settings.normalize)]
        rows.append(own / np.sqrt(max(len(own), 1)))
    return np.concatenate(rows)
