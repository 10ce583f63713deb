# SPDX-License-Identifier: BSD-3-Clause
"""The core's tables for one descriptor, and features from them: all that is needed of models."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ase
import numpy as np

from potential.basis.contraction import Contraction
from potential.descriptors.inputs import require_species
from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import ordered_map
from potential.settings import SoapTermSettings
from potential.structures.read import geometry
from potential.terms.density_covariance import contracted_draft, contraction_of
from potential.terms.features import feature_gradients, features
from potential.terms.soap import SoapTerm
from potential.terms.term import Draft
from potential.terms.training_model import build_model

Gradients = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def soap_draft(
    settings: SoapTermSettings, species: Sequence[int], contraction: Contraction | None = None
) -> Draft:
    """A soap term without sparse points; ascending atomic numbers."""
    draft, _ = SoapTerm.draft(settings, species, [])
    return draft if contraction is None else contracted_draft(draft, contraction)


def soap_model(
    settings: SoapTermSettings, species: Sequence[int], contraction: Contraction | None = None
) -> Model:
    """A model of the same."""
    return term_model(soap_draft(settings, species, contraction), species)


def term_model(draft: Draft, species: Sequence[int]) -> Model:
    """A model of one term alone."""
    return build_model(species, np.zeros(len(species)), [draft])


def contraction_for(
    settings: SoapTermSettings, species: Sequence[int], frames: Sequence[ase.Atoms]
) -> Contraction:
    """The contraction that the settings ask for, of the density of these frames."""
    assert settings.contraction is not None
    named = [geometry(atoms, f"structure {k}") for k, atoms in enumerate(frames)]
    return contraction_of(settings.contraction, soap_model(settings, species), named)


def rows_of_frames(
    model: Model,
    frames: Sequence[ase.Atoms],
    numbers: Sequence[np.ndarray],
    rows: Callable[[Model, ase.Atoms], Any],
    n_threads: int | None = None,
) -> Iterator[Any]:
    """What ``rows`` makes of each frame, in their order; numbers (N,) of the species of each.

    Raises SoapGprError that says which frame it is about.
    """

    def of_structure(item: tuple[int, ase.Atoms]) -> Any:
        k, atoms = item
        require_species(k, numbers[k], model.species)
        try:
            return rows(model, atoms)
        except SoapGprError as error:
            raise SoapGprError(f"structure {k}: {error}") from None

    return ordered_map(of_structure, enumerate(frames), n_threads)


def feature_rows(model: Model, atoms: ase.Atoms) -> np.ndarray:
    """p̂ (N, n_features), docs/theory.md eq. (6)."""
    return features(model, 0, atoms)


def gradient_rows(model: Model, atoms: ase.Atoms) -> Gradients:
    """p̂ (N, n_features); environment and atom (n_pairs,), ∂p̂/∂r (n_pairs, 3, n_features) and
    ∂p̂/∂ε (N, 6, n_features) as in FeatureGradients."""
    environments = model.environments(atoms)
    _require_memory(environments.n_pairs + 3 * len(atoms), model.core.n_features(0))
    centers = np.arange(len(atoms), dtype=np.uint64)
    p_hat, offset, atom, rows = feature_gradients(model, 0, environments, centers)
    offset = offset.astype(np.int64)
    # three rows for every atom that an environment sees, then six of strain
    ends = 3 * offset[1:] + 6 * np.arange(1, len(atoms) + 1)
    of_strain = ends[:, None] + np.arange(-6, 0)
    positions = np.delete(rows, of_strain.ravel(), axis=0).reshape(-1, 3, rows.shape[1])
    environment = np.repeat(np.arange(len(atoms)), np.diff(offset))
    return p_hat, environment, atom.astype(np.int64), positions, rows[of_strain]


def _require_memory(n_pairs: int, n_features: int) -> None:
    """Raise SoapGprError when there is no room for the gradients of so many pairs, two times."""
    needed, free = 2 * 24 * n_pairs * n_features, available_bytes()
    if free is not None and needed > free:
        raise SoapGprError(
            f"the gradients of {n_features} features need {needed / 2**30:.1f} GiB and "
            f"{free / 2**30:.1f} GiB are free: take fewer structures at a time, or fewer features"
        )
