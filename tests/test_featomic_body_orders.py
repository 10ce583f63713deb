# SPDX-License-Identifier: BSD-3-Clause
"""Radial spectra and bispectra against featomic, an independent implementation.

See test_featomic.py for the mapping of settings. Its density correlations hold every order of the
three channels, each coupled through the product of the first two: their dot products are ours.
"""

import numpy as np
import pytest
from ase import Atoms
from test_featomic import mixed_crystal

from potential import SoapDescriptor

featomic = pytest.importorskip("featomic", reason="featomic, the reference, is not installed")

N_MAX, L_MAX, SIGMA = 3, 2, 0.4
RADIAL = {"radial": {"type": "Gto", "max_radial": N_MAX - 1}, "spline_accuracy": None}
# Its GTO radius is its cutoff: ours r_c − Δ, with no neighbour in the taper.
THEIRS = {
    "cutoff": {"radius": 4.2, "smoothing": {"type": "Step"}},
    "density": {"type": "Gaussian", "width": SIGMA, "center_atom_weight": 1.0},
}
OURS = {
    "cutoff": 4.9,
    "cutoff_width": 0.7,
    "cutoff_function": "cosine",
    "n_max": N_MAX,
    "atom_sigma": SIGMA,
    "radial_scaling": {"scale": 1.0, "rate": 1.0, "exponent": 0.0},
    "species": ["H", "O"],
    "normalize": False,
}
HEIGHT = (np.pi * SIGMA**2) ** 0.75  # of our Gaussians over theirs


@pytest.fixture(scope="module")
def atoms():
    return Atoms("OHHHH", positions=mixed_crystal().positions * 0.6)


def test_radial_spectrum_agrees_with_featomic(atoms):
    found = featomic.SoapRadialSpectrum(**THEIRS, basis=RADIAL).compute(atoms)
    block = found.keys_to_samples("center_type").keys_to_properties("neighbor_type").block()
    order = np.argsort(np.asarray(block.samples.values)[:, 1])
    expected = HEIGHT * np.asarray(block.values)[order]
    soap = SoapDescriptor(**OURS, representation="radial_spectrum", l_max=0)
    np.testing.assert_allclose(soap(atoms), expected, atol=1e-10)


@pytest.fixture(scope="module")
def correlations(atoms):
    """Invariant density correlations of third order by parity: {1 or -1: [(5, n), ...]}."""
    products = pytest.importorskip("featomic.clebsch_gordan")
    metatensor = pytest.importorskip("metatensor")
    basis = {"type": "TensorProduct", "max_angular": L_MAX, **RADIAL}
    density = featomic.SphericalExpansion(**THEIRS, basis=basis).compute(atoms)
    products = products.DensityCorrelations(
        n_correlations=2, max_angular=2 * L_MAX, skip_redundant=False
    )
    scalars = metatensor.Labels(["o3_lambda"], np.array([[0]]))
    found = products.compute(density.keys_to_properties("neighbor_type"), selected_keys=scalars)
    blocks = {1: [], -1: []}
    for key, block in found.items():
        values = np.zeros((len(atoms), block.values.shape[2]))
        values[np.asarray(block.samples.values)[:, 1]] = np.asarray(block.values)[:, 0]
        blocks[int(key["o3_sigma"])].append(HEIGHT**3 * values)
    return blocks


@pytest.mark.parametrize(("parity", "signs"), [("even", (1,)), ("both", (1, -1))])
def test_bispectrum_agrees_with_featomic(atoms, correlations, parity, signs):
    expected = sum(X @ X.T for sign in signs for X in correlations[sign])
    p = SoapDescriptor(**OURS, representation="bispectrum", parity=parity, l_max=L_MAX)(atoms)
    found = np.where(np.equal.outer(atoms.numbers, atoms.numbers), p @ p.T, 0.0)
    np.testing.assert_allclose(found, expected, atol=1e-11 * expected.max())
