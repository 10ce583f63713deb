# SPDX-License-Identifier: BSD-3-Clause
"""Covariance of the density, and contractions made of it (docs/theory.md eq. 2h)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from potential.basis.contraction import Contraction, contracted, principal_components
from potential.basis.optimise_settings import NEEDS_A_FIT
from potential.basis.settings import ContractionSettings
from potential.errors import SoapGprError
from potential.model import Model
from potential.model.evaluation import naming
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.structures.digests import fingerprint
from potential.structures.structure import Structure
from potential.terms.features import density_coefficients


def density_covariance(
    model: Model,
    term: int,
    structures: Sequence[Structure],
    by: str = "environments",
    progress: Progress = silent,
) -> list[np.ndarray]:
    """C^l (Q_l, Q_l), list over l: the mean of Σ_m c^l_qm c^l_q'm over environments.

    by "environments": all count the same;
    "species": the mean of the means of each species of the centre. The result does not depend on
    the order of the structures; memory on the largest of them alone.
    """
    sizes = model.terms[term]["n_channels"]
    species = [model.species_indices(structure.numbers) for structure in structures]
    counts = np.bincount(np.concatenate(species), minlength=len(model.species))
    # of an environment, by the species of its centre
    weights = np.ones(len(counts)) if by == "environments" else 1.0 / np.maximum(counts, 1)
    weights /= counts @ weights

    def of_structure(structure: Structure) -> list[np.ndarray]:
        own = np.sqrt(weights[model.species_indices(structure.numbers)])
        with naming(structure):
            c = own[:, None] * density_coefficients(model, term, structure)
        parts, begin = [], 0
        for l, size in enumerate(sizes):
            end = begin + (2 * l + 1) * size
            of_l = c[:, begin:end].reshape(-1, size)
            parts.append(of_l.T @ of_l)
            begin = end
        return parts

    covariance = [np.zeros((size, size)) for size in sizes]
    ordered = sorted(structures, key=fingerprint)
    with threadpool_limits(limits=1, user_api="blas"):  # threads are spread over structures
        for parts in ordered_map(of_structure, progress(ordered, "density")):
            for total, part in zip(covariance, parts, strict=True):
                total += part
    return covariance


def contraction_of(
    settings: ContractionSettings,
    model: Model,
    structures: Sequence[Structure],
    progress: Progress = silent,
) -> Contraction:
    """What the settings make of the density of these structures in the model's first term. Raises
    SoapGprError for one that is to be optimised, which takes energies."""
    if settings.optimise is not None:
        raise SoapGprError(f"contraction.optimise: {NEEDS_A_FIT}")
    covariance = density_covariance(model, 0, structures, settings.by, progress)
    return principal_components(covariance, settings.n_channels, settings.retained_variance)


def contracted_draft(
    draft: dict[str, Any], contraction: Contraction, optimised: str = ""
) -> dict[str, Any]:
    """The draft of a term with other channels, and what there is to record of them.

    optimised: how they were, if they were.
    """
    record = {
        "channels": draft["n_channels"],
        "kept": [len(V) for V in contraction.matrices],
        "retained_variance": contraction.retained_variance,
    } | ({"optimised": optimised} if optimised else {})
    tables: Any = draft
    others = {key: own for key, own in draft.items() if key != "table_of"}
    return others | contracted(tables, contraction.matrices) | {"record": {"contraction": record}}
