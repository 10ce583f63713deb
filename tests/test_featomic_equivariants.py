# SPDX-License-Identifier: BSD-3-Clause
"""Equivariant features against featomic's equivariant power spectrum, an independent
implementation: equal matrices k between environments, for both parities.

featomic's density is ours times (πσ²)^(−3/4), see test_featomic.py. It holds all (q, q') of l <= l'
and for one l both (q, q') and (q', q), so that products of l < l' are ours over √2.
"""

import numpy as np
import pytest
from ase import Atoms
from test_featomic import mixed_crystal

from potential import SoapDescriptor, SoapGprError
from potential.descriptors import equivariant_kernel, equivariants

featomic = pytest.importorskip("featomic", reason="featomic, the reference, is not installed")
# featomic ties the radius of its functions to its cutoff, ours to r_c − Δ: a step there, and a
# cluster without neighbours in the taper, make the densities the same.
SIGMA, N_MAX, L_MAX, RADIUS = 0.45, 4, 3, 4.2
NO_SCALING = {"scale": 1.0, "rate": 1.0, "exponent": 0.0}


@pytest.fixture(scope="module")
def atoms():
    own = Atoms("OHHHH", positions=mixed_crystal().positions * 0.6)
    assert own.get_all_distances().max() < RADIUS
    return own


@pytest.fixture(scope="module")
def theirs(atoms):
    """(n, 2λ + 1, n, 2λ + 1) of their features by (λ, σ), atoms in order."""
    radial = {"type": "Gto", "max_radial": N_MAX - 1}
    expansion = featomic.SphericalExpansion(
        cutoff={"radius": RADIUS, "smoothing": {"type": "Step"}},
        density={"type": "Gaussian", "width": SIGMA, "center_atom_weight": 1.0},
        basis={
            "type": "TensorProduct",
            "max_angular": L_MAX,
            "radial": radial,
            "spline_accuracy": None,
        },
    )
    calculator = featomic.clebsch_gordan.EquivariantPowerSpectrum(expansion)
    found = calculator.compute(atoms, neighbors_to_properties=True)
    rows = {}
    for key, block in found.items():
        own = rows.setdefault((int(key["o3_lambda"]), int(key["o3_sigma"])), {})
        l_1, l_2 = (np.asarray(block.properties[name]) for name in ("l_1", "l_2"))
        weights = np.where(l_1 == l_2, 1, np.sqrt(2)) * (np.pi * SIGMA**2) ** 1.5
        for sample, values in zip(np.asarray(block.samples.values), block.values, strict=True):
            own[int(sample[1])] = weights * values
    return {
        key: np.einsum("imf,jnf->imjn", x, x)
        for key, own in rows.items()
        for x in [np.array([own[i] for i in sorted(own)])]
    }


@pytest.fixture(scope="module")
def soap():
    return SoapDescriptor(
        cutoff=RADIUS + 0.7,
        cutoff_width=0.7,
        cutoff_function="cosine",
        n_max=N_MAX,
        l_max=L_MAX,
        atom_sigma=SIGMA,
        radial_scaling=NO_SCALING,
        normalize=False,
        species=["H", "O"],
    )


@pytest.mark.parametrize("lam", range(5))
@pytest.mark.parametrize("sigma", [1, -1])
def test_kernels_agree_with_featomic(theirs, soap, atoms, lam, sigma):
    if (lam, sigma) == (0, -1):
        with pytest.raises(SoapGprError, match="no products of λ = 0 pseudo"):
            equivariants(soap, atoms, lam, sigma)
        return
    own = equivariants(soap, atoms, lam, sigma)
    found, expected = equivariant_kernel(own, own), theirs[lam, sigma]
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
