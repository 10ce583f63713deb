# SPDX-License-Identifier: BSD-3-Clause
"""LAMMPS and Python say the same of the same structure, on any number of ranks."""

from pathlib import Path

import ase
import numpy as np
import pytest
from ase.build import bulk
from gap_models import PAIR, SOAP, TRIPLET, add_glue, train
from lammps_runs import assert_agrees, measure, measure_each, python
from models import (
    body_order_model,
    contracted_model,
    derivative_model,
    kernel_model,
    product_model,
    random_model,
    random_structure,
    selected_by_species,
    selected_model,
    symmetry_model,
    triplet_model,
)

from potential import SoapGprCalculator
from potential.gap.importing import import_gap
from potential.model.compression import compress
from potential.structures.structure import structure_from_atoms
from potential.training.fitting import fit

SILICON = Path(__file__).parents[3] / "shared/data/mlearn_Si/train.xyz"
TRICLINIC = [[7.1, 0, 0], [1.3, 6.4, 0], [-0.9, 0.8, 6.8]]
SMALL = [[2.9, 0, 0], [0.7, 2.6, 0], [-0.4, 0.5, 3.1]]


def structure(name):
    water = [8] * 12 + [1] * 24
    if name == "cube":
        return random_structure(water, seed=1)
    if name == "triclinic":
        return random_structure(water, seed=2, cell=TRICLINIC)
    if name == "smaller than the cutoff":
        return random_structure([8, 1, 1], seed=3, cell=SMALL)
    if name == "one atom in a small cell":
        return ase.Atoms("O", positions=[[0.3, 0.2, 0.1]], cell=SMALL, pbc=True)
    if name == "slab":
        return random_structure(water, seed=4, pbc=(True, True, False))
    if name == "molecule":
        return random_structure([8, 1, 1], seed=5, pbc=False)
    if name == "isolated atom":
        return ase.Atoms("H", positions=[[2, 2, 2]], cell=[4, 4, 4], pbc=False)
    # More atoms than the plugin hands to the core at once.
    return random_structure([8] * 500 + [1] * 900, seed=6)


STRUCTURES = [
    "cube",
    "triclinic",
    "smaller than the cutoff",
    "one atom in a small cell",
    "slab",
    "molecule",
    "isolated atom",
    "large",
]
SOME = ["triclinic", "smaller than the cutoff", "isolated atom"]


@pytest.fixture(scope="module", params=[1, pytest.param(2, marks=pytest.mark.check), 4])
def all_measured(request, tmp_path_factory, model):
    """Measured by name, from one run on that many ranks."""
    structures = {name: structure(name) for name in STRUCTURES}
    return measure_each(tmp_path_factory.mktemp("each"), model, structures, ranks=request.param)


@pytest.mark.parametrize("name", STRUCTURES)
def test_lammps_equals_python(all_measured, model, name):
    assert_agrees(all_measured[name], python(model, structure(name)))


def assert_all_agree(folder, model, names, ranks):
    """LAMMPS and Python of each of these structures, from one run."""
    structures = {name: structure(name) for name in names}
    for name, measured in measure_each(folder, model, structures, ranks).items():
        print(name)  # which pytest shows where it fails
        assert_agrees(measured, python(model, structures[name]))


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_contracted_model_equals_python(tmp_path, ranks):
    model, atoms = contracted_model(), structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, ranks=ranks), python(model, atoms))


def test_compressed_model_equals_python(tmp_path):
    atoms = structure("triclinic")
    full = random_model(n_sparse=60, n_max=3, l_max=2, zeta=3)
    model = compress(full, [structure_from_atoms(atoms)], 1e-3).model
    assert_agrees(measure(tmp_path, model, atoms, ranks=2), python(model, atoms))


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_body_order_terms_equal_python(tmp_path, ranks):
    assert_all_agree(tmp_path, body_order_model(), SOME, ranks)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_recoupled_features_equal_python(tmp_path, ranks):
    model, atoms = selected_model(recouple=True, zeta=3), structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, ranks=ranks), python(model, atoms))


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("representation", ["radial_spectrum", "bispectrum"])
def test_body_orders_equal_python(tmp_path, representation, ranks):
    parity = {"parity": "both"} if representation == "bispectrum" else {}
    selected = representation == "bispectrum"
    model = kernel_model(representation=representation, selected=selected, **parity)
    atoms = structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, ranks=ranks), python(model, atoms))


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_products_of_kernels_equal_python(tmp_path, ranks):
    assert_all_agree(tmp_path, product_model(), ["triclinic", "isolated atom"], ranks)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_symmetry_functions_equal_python(tmp_path, ranks):
    assert_all_agree(tmp_path, symmetry_model(selected=ranks == 2), SOME, ranks)


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("full", [kernel_model, symmetry_model])
def test_selections_of_each_species_equal_python(tmp_path, full, ranks):
    model, atoms = selected_by_species(full(zeta=3), recouple=True), structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, ranks=ranks), python(model, atoms))


@pytest.mark.parametrize("zeta", [2, 3])
def test_derivative_basis_equals_python(tmp_path, zeta):
    model = derivative_model([structure("smaller than the cutoff"), structure("molecule")], zeta)
    model = model.with_weights(np.random.default_rng(0).normal(size=model.n_weights))
    atoms = structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, ranks=2), python(model, atoms))


def test_model_without_soap_equals_python(tmp_path):
    model, atoms = body_order_model(soap=False), structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, ranks=2), python(model, atoms))


@pytest.mark.parametrize("shared", [False, True])
def test_fixed_triplets_equal_python(tmp_path, shared):
    def known(p):
        return lambda r_ij, r_ik, r_jk: np.exp(-0.3 * (p + 1) * (r_ij + r_ik)) + 0.1 * r_jk

    model, atoms = triplet_model(known=known, shared=shared), structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, ranks=2), python(model, atoms))


CLUSTERS = PAIR.replace("distance_2b", "distance_Nb order=2")
CLUSTERS += f" : {TRIPLET.replace('angle_3b', 'distance_Nb order=3')} covariance_type=pp"


@pytest.fixture(scope="module", params=["sums and angles", "mixing, Glue and clusters"])
def imported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gap")
    if request.param == "sums and angles":
        soap = f"{SOAP} covariance_sigma0=0.1 zeta=2.5 nu_R=1 nu_S=2"
        return import_gap(train(folder, f"{soap} : {PAIR} : {TRIPLET}", species=(1, 8)))[0]
    soap = f"{SOAP} Z_mix=T K=2 sym_mix=F coupling=T covariance_sigma0=0.2"
    xml = train(folder, f"{soap} : {CLUSTERS} compact_clusters=F", species=(1, 8))
    add_glue(xml, species=(1, 8))
    return import_gap(xml)[0]


@pytest.mark.parametrize("ranks", [1, 2])
def test_imported_potential_equals_python(tmp_path, imported, ranks):
    atoms = structure("triclinic")
    assert_agrees(measure(tmp_path, imported, atoms, ranks=ranks), python(imported, atoms))


@pytest.fixture(scope="module")
def ordered(tmp_path_factory):
    clusters = TRIPLET.replace("angle_3b", "distance_Nb order=3")
    xml = train(tmp_path_factory.mktemp("gap"), clusters, species=(1, 8))
    return import_gap(xml, literal_clusters=True)[0]


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", ["triclinic", "smaller than the cutoff", "slab"])
def test_neighbours_that_are_told_apart_by_their_order_equal_python(tmp_path, ordered, name, ranks):
    atoms = structure(name)
    expected = python(ordered, atoms)
    assert_agrees(measure(tmp_path, ordered, atoms, ranks=ranks), expected)
    if len(atoms) > 3:
        assert abs(python(ordered, atoms[::-1]).energy - expected.energy) > 1e-3


def test_threads_change_nothing(tmp_path, model):
    atoms = structure("triclinic")
    measured = measure(tmp_path, model, atoms, OMP_NUM_THREADS="2")
    assert_agrees(measured, python(model, atoms))


def test_units_real_are_converted(tmp_path, model):
    atoms = structure("triclinic")
    assert_agrees(measure(tmp_path, model, atoms, units="real"), python(model, atoms))


def test_elements_may_repeat_and_come_in_any_order(tmp_path, model):
    atoms = structure("triclinic")
    pair = "pair_style soap/gpr\npair_coeff * * model.sgpr H O H"
    measured = measure(tmp_path, model, atoms, types={1: 3, 8: 2}, pair=pair)
    assert_agrees(measured, python(model, atoms))


def test_model_is_found_in_lammps_potentials(tmp_path, model):
    atoms = structure("cube")
    folder = tmp_path / "potentials"
    folder.mkdir()
    model.save(folder / "elsewhere.sgpr")
    pair = "pair_style soap/gpr\npair_coeff * * elsewhere.sgpr O H"
    measured = measure(tmp_path, model, atoms, ranks=2, pair=pair, LAMMPS_POTENTIALS=str(folder))
    assert_agrees(measured, python(model, atoms))


@pytest.mark.parametrize("ranks", [1, 2])
def test_null_types_are_neither_centres_nor_neighbours(tmp_path, model, ranks):
    atoms = structure("triclinic")
    pair = (
        "pair_style hybrid/overlay soap/gpr zero 3.0\n"
        "pair_coeff * * soap/gpr model.sgpr O NULL\npair_coeff * * zero"
    )
    measured = measure(tmp_path, model, atoms, ranks=ranks, pair=pair)
    oxygen = atoms.numbers == 8
    expected = python(model, atoms[oxygen])
    np.testing.assert_allclose(measured.energy, expected.energy, rtol=1e-9)
    np.testing.assert_allclose(measured.forces[oxygen], expected.forces, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(measured.virial, expected.virial, rtol=1e-9, atol=1e-9)
    assert not measured.forces[~oxygen].any()
    assert not measured.energies[~oxygen].any()


@pytest.mark.parametrize("ranks", [1, 2])
def test_overlaid_models_add_up(tmp_path, model, ranks):
    other = random_model(cutoff=4.5, n_max=3, l_max=2, seed=7)
    other.save(tmp_path / "other.sgpr")
    atoms = structure("triclinic")
    pair = (
        "pair_style hybrid/overlay soap/gpr soap/gpr\n"
        "pair_coeff * * soap/gpr 1 model.sgpr O H\npair_coeff * * soap/gpr 2 other.sgpr O H"
    )
    measured = measure(tmp_path, model, atoms, ranks=ranks, pair=pair)
    first, second = python(model, atoms), python(other, atoms)
    np.testing.assert_allclose(measured.energy, first.energy + second.energy, rtol=1e-9)
    np.testing.assert_allclose(measured.forces, first.forces + second.forces, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(measured.virial, first.virial + second.virial, rtol=1e-9, atol=1e-9)
    total = (first.virials + second.virials).transpose(0, 2, 1)
    np.testing.assert_allclose(measured.centroid_virials, total, rtol=1e-9, atol=1e-9)


def adapted(folder, model, atoms, types):
    """Measured with these types scaled by a half."""
    pair = (
        "pair_style soap/gpr\npair_coeff * * model.sgpr O H\n"
        f"fix half all adapt 1 pair soap/gpr scale {types} v_half\nvariable half equal 0.5"
    )
    return measure(folder, model, atoms, pair=pair)


@pytest.mark.parametrize("types", ["* *", "1*2 1*2"])
def test_fix_adapt_scales_energy_and_forces(tmp_path, model, types):
    atoms = structure("triclinic")
    measured = adapted(tmp_path, model, atoms, types)
    expected = python(model, atoms)
    np.testing.assert_allclose(measured.energy, 0.5 * expected.energy, rtol=1e-9)
    np.testing.assert_allclose(measured.forces, 0.5 * expected.forces, rtol=1e-9, atol=1e-9)


def test_fix_adapt_scales_the_atoms_of_one_type(tmp_path, model):
    atoms = structure("triclinic")
    expected = python(model, atoms).energies * np.where(atoms.numbers == 8, 0.5, 1.0)
    measured = adapted(tmp_path, model, atoms, "1 1")
    np.testing.assert_allclose(measured.energies, expected, rtol=1e-9)


@pytest.mark.skipif(not SILICON.exists(), reason=f"no reference data at {SILICON}")
def test_a_fit_with_compress_is_the_same_in_lammps_and_ase(tmp_path):
    settings = {
        "data": {"train": [f"{SILICON}@::20"]},
        "terms": [{"cutoff": 5.0, "n_sparse": 80}],
        "compress": {},
    }
    model = fit(settings, progress=False).model
    assert model.compressed
    atoms = bulk("Si", cubic=True).repeat((2, 2, 1))
    atoms.rattle(0.1, seed=1)
    assert_agrees(measure(tmp_path, model, atoms, types={14: 1}, ranks=2), python(model, atoms))
    atoms.calc = SoapGprCalculator(tmp_path / "model.sgpr")
    np.testing.assert_allclose(atoms.get_forces(), python(model, atoms).forces, rtol=1e-12)
