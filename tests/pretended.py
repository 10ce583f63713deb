# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for models with measures of uncertainty: sigmas that are known from the forces."""

from types import SimpleNamespace

import numpy as np

from potential.model import Model

SHARE = 0.1  # of a force component that is its sigma


def pretend(monkeypatch, committee=True, variance=True):
    """Give all models measures: sigmas are SHARE of forces, of atoms' energies that of their size;
    LPR is 1/variance."""
    scales = SimpleNamespace(energy=1.0, force=1.0)
    own = SimpleNamespace(
        committee=scales if committee else None,
        variance=scales if variance else None,
        rigidity=scales if variance else None,
    )
    own.measures = ("energies", "forces") * committee + ("variance",) * variance
    plain = Model.evaluate

    def evaluate(self, *args, uncertainty=(), **options):
        found = plain(self, *args, **options)
        if not uncertainty:
            return found
        sigma = SHARE * np.linalg.norm(found.forces, axis=1)
        measured = SimpleNamespace(
            energy_uncertainty=float(sigma.sum()),
            energies_uncertainty=sigma,
            forces_uncertainty=SHARE * np.abs(found.forces),
            deviations=2 * sigma,
            variances=4 * sigma**2,
            rigidities=1 / sigma**2,
            grades=sigma,
        )
        object.__setattr__(found, "uncertainty", measured)
        return found

    monkeypatch.setattr(Model, "evaluate", evaluate)
    monkeypatch.setattr(Model, "uncertainty", own, raising=False)
    return own
