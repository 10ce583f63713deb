# SPDX-License-Identifier: BSD-3-Clause
"""Power spectra against featomic, an independent implementation.

Mapping from our settings to featomic's, with the same cutoff, cutoff_width and atom_sigma, and a
cosine:
- max_radial = n_max - 1, max_angular = l_max, center_atom_weight = central_weight;
- radial_scaling is "Willatt2018" with the same scale, rate, exponent;
- the GTO widths of featomic follow its cutoff, σ_n = r_c max(√n, 1)/n_max, ours r_c − Δ;
- its Gaussians are square-normalised: c is ours times (πσ²)^(−3/4);
- its p carries (−1)^l/√(2l+1), ours 1/√(2l+1); a sign per l cancels in every dot product;
- its blocks hold both (n, n') and (n', n) of one species, and √2 times p for two species.
"""

from dataclasses import asdict

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from slow_twin import features, normalise

from potential import SoapDescriptor
from potential.basis import SoapBasis, tabulate
from potential.basis.gto import GtoBasis

featomic = pytest.importorskip("featomic", reason="featomic, the reference, is not installed")


class FeatomicBasis(SoapBasis):
    """Our basis with featomic's GTO radius r_c."""

    def radial_basis(self):
        return GtoBasis(self.cutoff, self.n_max)


def mixed_crystal():
    positions = np.random.default_rng(0).uniform(0.0, 4.0, (5, 3))
    cell = [[4.2, 0.0, 0.0], [0.5, 4.5, 0.0], [0.1, -0.4, 4.0]]
    return Atoms("OHHOH", positions=positions, cell=cell, pbc=True)


def silicon():
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def featomic_features(atoms, basis, species, cutoff, smoothing):
    """featomic's power spectra (n_atoms, n_features) in our order, Gaussians not normalised."""
    density = {
        "type": "Gaussian",
        "width": basis.atom_sigma,
        "center_atom_weight": basis.central_weight,
    }
    if basis.radial_scaling:
        density["scaling"] = {"type": "Willatt2018", **basis.radial_scaling}
    calculator = featomic.SoapPowerSpectrum(
        cutoff={"radius": cutoff, "smoothing": smoothing},
        density=density,
        basis={
            "type": "TensorProduct",
            "max_angular": basis.l_max,
            "radial": {"type": "Gto", "max_radial": basis.n_max - 1},
            "spline_accuracy": None,
        },
    )
    descriptor = calculator.compute(atoms)
    n, n_l = basis.n_max, basis.l_max + 1
    full = np.zeros((len(atoms), n_l, len(species), n, len(species), n))
    for key, block in descriptor.items():
        a, b = (species.index(int(key[k])) for k in ("neighbor_1_type", "neighbor_2_type"))
        # Blocks of two species already carry the √2 of the pair counted once.
        weight = 1.0 if a == b else np.sqrt(0.5)
        atom = np.asarray(block.samples.values)[:, 1]
        l, n_1, n_2 = np.asarray(block.properties.values).T
        values = weight * (-1.0) ** l * np.asarray(block.values)
        full[atom[:, None], l, a, n_1, b, n_2] = values
        full[atom[:, None], l, b, n_2, a, n_1] = values
    full = full.reshape(len(atoms), n_l, len(species) * n, len(species) * n)
    upper = np.triu_indices(len(species) * n)
    pair_weight = np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0))
    p = (full[:, :, upper[0], upper[1]] * pair_weight).reshape(len(atoms), -1)
    return p * (np.pi * basis.atom_sigma**2) ** 1.5


@pytest.mark.parametrize(
    ("atoms", "species", "basis"),
    [
        (
            mixed_crystal(),
            [1, 8],
            FeatomicBasis(4.0, 0.6, "cosine", 5, 4, atom_sigma=0.45, central_weight=0.7),
        ),
        (
            mixed_crystal(),
            [1, 8],
            FeatomicBasis(
                3.5,
                0.5,
                "cosine",
                4,
                3,
                atom_sigma=0.4,
                radial_scaling={"scale": 2.0, "rate": 1.5, "exponent": 3},
            ),
        ),
        (silicon(), [14], FeatomicBasis(5.0, 0.5, "cosine", 8, 6, atom_sigma=0.5)),
    ],
    ids=["two_species", "radial_scaling", "silicon"],
)
def test_power_spectrum_agrees_with_featomic(atoms, species, basis):
    smoothing = {"type": "ShiftedCosine", "width": basis.cutoff_width}
    expected = featomic_features(atoms, basis, species, basis.cutoff, smoothing)
    assert_agrees(atoms, species, basis, expected)


def test_power_spectrum_with_our_own_gto_radius_agrees_with_featomic():
    # featomic ties the GTO radius to its cutoff: give it the cutoff r_c − Δ, a step, and a cluster
    # without neighbours in the taper, so that both densities are the same.
    atoms = Atoms("OHHHH", positions=mixed_crystal().positions[:5] * 0.6)
    density = {"cutoff": 4.9, "cutoff_width": 0.7, "cutoff_function": "cosine", "atom_sigma": 0.4}
    basis = SoapBasis(n_max=6, l_max=4, **density)
    distances = atoms.get_all_distances()
    assert distances.max() < 4.2
    expected = featomic_features(atoms, basis, [1, 8], 4.2, {"type": "Step"})
    assert_agrees(atoms, [1, 8], basis, expected)
    no_scaling = {"scale": 1.0, "rate": 1.0, "exponent": 0.0}
    soap = SoapDescriptor(**asdict(basis) | {"radial_scaling": no_scaling}, species=["H", "O"])
    assert np.abs(soap(atoms) - np.array([normalise(p) for p in expected])).max() < 1e-9


def assert_agrees(atoms, species, basis, expected):
    tables = tabulate(basis, species)
    index = [species.index(number) for number in atoms.numbers]
    p = features(tables, basis.l_max, index, atoms.positions, atoms.cell.array, atoms.pbc)
    assert p.shape == expected.shape
    assert np.abs(p - expected).max() < 1e-8 * np.abs(expected).max()
    for ours, theirs in zip(p, expected, strict=True):
        assert np.abs(normalise(ours) - normalise(theirs)).max() < 1e-9
