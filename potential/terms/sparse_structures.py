# SPDX-License-Identifier: BSD-3-Clause
"""Sparse structures of a soap term with ``sparse_basis = "derivatives"``: their choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potential.model import Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.selection.select import select
from potential.settings import SoapTermSettings
from potential.structures.arrays import to_arrays
from potential.structures.structure import Structure
from potential.terms.features import features


def sparse_structures(
    model: Model,
    term: int,
    settings: SoapTermSettings,
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> dict[str, np.ndarray]:
    """Arrays of a model file for structures whose coordinates number at most ``n_sparse``.

    They are chosen like environments, by features averaged over the atoms of each species. model:
    the term's tables. The choice does not depend on the order of the structures. Raises
    SettingError when n_sparse has no room for any structure.
    """
    assert isinstance(settings.n_sparse, int)
    # The derivatives of a single atom vanish, be it isolated or alone in its cell.
    several = [structure for structure in structures if len(structure) > 1]
    candidates = [s for s in several if 3 * len(s) <= settings.n_sparse]
    if several and not candidates:
        raise settings.error(
            "n_sparse",
            f"at least {3 * min(map(len, several))}, the coordinates of the smallest training "
            'structure, with sparse_basis = "derivatives"',
        )
    if not candidates:
        return to_arrays([])

    def mean_features(structure: Structure) -> np.ndarray:
        with naming(structure):
            X = features(model, term, structure)
        species = model.species_indices(structure.numbers)
        sums = np.zeros((len(model.species), X.shape[1]))
        np.add.at(sums, species, X)
        return sums.ravel() / len(structure)

    X = np.array(list(ordered_map(mean_features, progress(candidates, "features"))))
    sizes = np.array([3 * len(structure) for structure in candidates])
    # The largest number whose choice has room; one always has.
    enough, too_many = 1, int(np.searchsorted(np.cumsum(np.sort(sizes)), settings.n_sparse)) + 2
    chosen = _select(X, enough, settings)
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        found = _select(X, middle, settings)
        if sizes[found].sum() <= settings.n_sparse:
            enough, chosen = middle, found
        else:
            too_many = middle
    return to_arrays([candidates[k] for k in chosen])


def _select(X: np.ndarray, n: int, settings: SoapTermSettings) -> np.ndarray:
    return select(X, n, settings.sparse_method, zeta=settings.zeta, seed=settings.seed)
