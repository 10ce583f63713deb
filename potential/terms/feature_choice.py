# SPDX-License-Identifier: BSD-3-Clause
"""Which features a term keeps, chosen on training environments (docs/theory.md eq. 5g, 5i, 5p)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.selection.columns import Columns, choose_columns
from potential.selection.select import distinct_environments
from potential.structures.structure import Structure, symbol
from potential.terms.soap_points import thinned_features
from potential.terms.term import RECORD, Draft

# Features of the environments that the choice is made on.
SAMPLE_BYTES = 128 * 2**20
# Features among which it is made; of more, as bispectra have, a random part.
CANDIDATES = 20_000
ALL = 0  # where one choice serves all species of the centre


def with_selection(
    draft: Draft,
    total: int,
    settings: Any,
    model_of: Callable[[Draft], Model],
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> tuple[Draft, list[str]]:
    """The draft with the features that ``settings.feature_selection`` asks for, and warnings.

    total: features of the draft, which may have a ``feature_scale`` for all of them. model_of:
    makes the model of a draft alone. The choice does not depend on the order of the structures.
    Raises SoapGprError.
    """
    wanted = settings.feature_selection
    if wanted.n_features is not None and wanted.n_features > min(total, CANDIDATES):
        most = f"{total}, all features" if total <= CANDIDATES else f"{CANDIDATES}"
        place = settings.place().at("feature_selection")
        raise place.says(
            f"found n_features = {wanted.n_features}, expected at most {most} of the term"
        )
    candidates, scale = np.arange(total), draft.get("feature_scale", np.ones(total))
    if total > CANDIDATES:
        rng = np.random.default_rng(settings.seed)
        candidates = np.sort(rng.choice(total, CANDIDATES, replace=False))  # lists no others
        draft = _with_features(draft, candidates, scale)
    model = model_of(draft)
    samples = _samples(model, settings, structures, progress)
    if not any(X.any() for X in samples.values()):
        raise SoapGprError("found no environment with a neighbour to select features on")
    if not wanted.per_species:
        samples = {ALL: np.concatenate(list(samples.values()))}
    found = {a: _choice(X, settings, progress) for a, X in samples.items()}
    kept = {a: candidates[own.chosen] for a, own in found.items()}
    parts: dict[str, Any] = {
        "features": kept,
        "feature_scale": {a: scale[places] for a, places in kept.items()},
    }
    if wanted.recouple:
        parts["recoupling"] = {a: own.recoupling() for a, own in found.items()}
    if not wanted.per_species:
        parts = {name: own[ALL] for name, own in parts.items()}
    names = {a: symbol(model.species[a]) if wanted.per_species else "" for a in found}
    record = {"method": wanted.method, "features": total, **_recorded(found, names)}
    draft = draft | parts
    draft[RECORD] = draft.get(RECORD, {}) | {"feature_selection": record}
    return draft, [
        f"only {len(own.chosen)} features{names[a] and f' of {names[a]}'} are independent in the "
        f"training environments, {wanted.n_features} were asked for"
        for a, own in found.items()
        if wanted.n_features is not None and len(own.chosen) < wanted.n_features
    ]


def _choice(X: np.ndarray, settings: Any, progress: Progress) -> Columns:
    """Columns of X (n, n_features); the first where it is zero, of centres without neighbours,
    which nothing is compared with."""
    if not X.any():
        return Columns(np.zeros(1, dtype=np.int64), 0.0, np.eye(1, X.shape[1]))
    wanted = settings.feature_selection
    return choose_columns(
        X,
        wanted.method,
        n=wanted.n_features,
        tolerance=wanted.tolerance,
        seed=settings.seed,
        progress=progress,
    )


def _recorded(found: Mapping[int, Columns], names: Mapping[int, str]) -> dict[str, Any]:
    """What the provenance says of a choice; of several the largest, and each by species."""
    own = {names[a]: {"kept": len(c.chosen), "residual": c.residual} for a, c in found.items()}
    largest = {key: max(values[key] for values in own.values()) for key in ("kept", "residual")}
    return largest | ({"species": own} if "" not in own else {})


def _with_features(draft: Draft, places: np.ndarray, scale: np.ndarray) -> Draft:
    return draft | {"features": places, "feature_scale": scale[places]}


def _samples(
    model: Model, settings: Any, structures: Sequence[Structure], progress: Progress
) -> dict[int, np.ndarray]:
    """Features (n, n_features) of training environments of each species, over the root of their
    number: so each species weighs the same (eq. 5g)."""
    species = np.concatenate([model.species_indices(s.numbers) for s in structures])
    counts = np.bincount(species, minlength=len(model.species))
    room = SAMPLE_BYTES / (8.0 * model.core.n_features(0) * np.count_nonzero(counts))
    shares = [np.minimum(1.0, room / np.maximum(counts, 1))] * len(structures)
    found = thinned_features(model, 0, structures, shares, settings.seed, progress)
    rows, none = {}, np.zeros((0, model.core.n_features(0)))
    for a in range(len(model.species)):
        own = found.pop(a).X if a in found else none
        own = own[distinct_environments(own, settings.normalize)]
        rows[a] = own / np.sqrt(max(len(own), 1))
    return rows
