# SPDX-License-Identifier: BSD-3-Clause
"""Imported soap_turbo potentials give what QUIP gives."""

import shutil

import numpy as np
import pytest
from gap_models import PAIR, assert_same, structures, train, turbo

from potential.errors import SoapGprError
from potential.gap.importing import import_gap

ALL = {
    "alpha_max": (3, 4),
    "atom_sigma_r": (0.5, 0.4),
    "atom_sigma_t": (0.4, 0.6),
    "atom_sigma_r_scaling": (0.0, 0.1),
    "atom_sigma_t_scaling": (0.1, 0.05),
    "amplitude_scaling": (1.0, 2.0),
    "central_weight": (1.0, 0.4),
}
ONE = {
    "plain": {},
    "scalings": {"atom_sigma_r_scaling": (0.1,), "atom_sigma_t_scaling": (0.05,), "nf": 5.0},
    "amplitude_scaling 0": {"amplitude_scaling": (0.0,)},
    "amplitude_scaling 0.5": {"amplitude_scaling": (0.5,), "radial_enhancement": 1},
    "amplitude_scaling 1.3": {"amplitude_scaling": (1.3,), "radial_enhancement": 2},
    "trivial": {"compress_mode": "trivial"},
    "0_0": {"compress_mode": "0_0"},
    "1_2": {"compress_mode": "1_2"},
    "poly3gauss": {"basis": "poly3gauss"},
    "poly3gauss 1": {"basis": "poly3gauss", "alpha_max": (1,)},
    "central_weight": {"central_weight": (0.5,)},
    "seven": {"alpha_max": (7,)},
    "eight": {"alpha_max": (8,)},
}
# The overlap is close to singular, and QUIP's rounding depends on the processor: docs/gap.md.
LESS_EXACT = {"seven": {"energy": 1e-7}, "eight": {"energy": 1e-6, "other": 1e-4}}
TWO = {
    "all": ALL,
    "enhancement 1": ALL | {"radial_enhancement": 1},
    "enhancement 2": ALL | {"radial_enhancement": 2, "rcut_soft": 2.5},
    "poly3gauss": ALL | {"basis": "poly3gauss"},
    "wide poly3gauss": {
        "basis": "poly3gauss",
        "atom_sigma_r": (0.46, 0.79),
        "rcut_soft": 1.8,
        "rcut_hard": 3.2,
        "nf": 7.0,
    },
    "poly3gauss trivial": ALL
    | {"basis": "poly3gauss", "compress_mode": "trivial", "radial_enhancement": 1},
    "trivial": ALL | {"compress_mode": "trivial"},
    **{
        mode: ALL | {"alpha_max": (3, 3), "compress_mode": mode}
        for mode in ("0_2", "1_0", "1_2", "2_0", "2_1")
    },
}


@pytest.fixture(autouse=True)
def forgetful_quip():
    """QUIP keeps the radial basis of the last soap_turbo with the same number of functions."""
    descriptors = pytest.importorskip("quippy.descriptors", reason="quippy-ase is not installed")
    import ase

    small = turbo(alpha_max=(1,)).split(" delta")[0]
    descriptors.Descriptor(small.replace("{{", "{").replace("}}", "}")).calc(
        ase.Atoms("Si2", positions=[[0, 0, 0], [0, 0, 2]], cell=[20] * 3)
    )


@pytest.mark.parametrize("n_species, name", [(1, n) for n in ONE] + [(2, n) for n in TWO])
def test_imported_potentials_give_what_quip_gives(tmp_path, n_species, name):
    options = (ONE if n_species == 1 else TWO)[name]
    species = (14,) if n_species == 1 else (6, 14)
    xml = train(tmp_path, f"{turbo(n_species, **options)} : {PAIR}", species)
    model, warnings = import_gap(xml)
    assert warnings == []
    for atoms in structures(species).values():
        assert_same(model, xml, atoms, **LESS_EXACT.get(name, {}))


@pytest.mark.parametrize(
    "options", [{"nf": 2.0, "rcut_soft": 2.5, "alpha_max": (6,)}, {"l_max": 0}]
)
def test_forces_are_derivatives_where_those_of_quip_are_not(tmp_path, options):
    from quippy.potential import Potential

    xml = train(tmp_path, turbo(**options), (14,))
    model, _ = import_gap(xml)
    quip = Potential(param_filename=str(xml))
    atoms = structures((14,))["cluster"]
    atoms.cell = [40.0, 40.0, 40.0]
    quip.calculate(atoms, ["energy", "forces"])
    found = model.evaluate(atoms.numbers, atoms.positions)
    assert found.energy == pytest.approx(quip.results["energy"], rel=1e-8)
    assert np.abs(found.forces - quip.results["forces"]).max() > 1e-5
    step, energies = 1e-3, []
    for distance in (-2, -1, 1, 2):
        moved = atoms.copy()
        moved.positions[0, 0] += distance * step
        quip.calculate(moved, ["energy"])
        energies.append(quip.results["energy"])
    force = -np.dot(energies, [1, -8, 8, -1]) / (12 * step)
    assert found.forces[0, 0] == pytest.approx(force, abs=1e-7)


def test_files_of_kept_features_are_read_beside_the_potential(tmp_path):
    kept = "4 3 5\n1\n7\n3\n40\n12\n"
    xml = train(tmp_path, turbo(compress_file="keep.txt"), (14,), keep=kept)
    model, _ = import_gap(xml)
    for atoms in structures((14,)).values():
        assert_same(model, xml, atoms)
    for text, message in (("4 3 5\n1\n7\n", "found 2 numbers"), ("4 3 1\n41\n", "from 1 to 40")):
        (tmp_path / "keep.txt").write_text(text)
        with pytest.raises(SoapGprError, match=message):
            import_gap(xml)
    (tmp_path / "keep.txt").unlink()
    with pytest.raises(SoapGprError, match=r"keep.txt is missing"):
        import_gap(xml)


def test_bases_close_to_singular_are_warned_of_or_refused(tmp_path):
    def imported(**options):
        return import_gap(train(tmp_path, turbo(l_max=0, **options), (14,)))

    assert "close to singular" in imported(alpha_max=(9,))[1][0]
    with pytest.raises(SoapGprError, match=r"alpha_max=10 with atom_sigma_r=0.75 is singular"):
        imported(alpha_max=(10,), basis="poly3gauss", atom_sigma_r=(0.75,))


def test_bases_that_quip_confuses_are_warned_of(tmp_path):
    other = turbo(basis="poly3gauss", rcut_hard=3.6, rcut_soft=3.0)
    model, warnings = import_gap(train(tmp_path, f"{turbo()} : {other}", (14,)))
    assert len(warnings) == 1 and "one radial basis" in warnings[0]
    assert len(model.terms) == 2


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("l_max=3", "l_max=40", "found l_max=40, expected 0 to 30"),
        ("l_max=3", "", "lacks l_max"),
        ("alpha_max={4}", "alpha_max={40}", "alpha_max=40, expected 1 to 10"),
        ("alpha_max={4}", "alpha_max={4 4}", "2 numbers of alpha_max, expected n_species=1"),
        ("alpha_max={4}", "", "0 numbers of alpha_max"),
        ("alpha_max={4}", "alpha_max={3}", "sparse points of 40 numbers, the descriptor has 24"),
        ("atom_sigma_r={0.5}", "atom_sigma_r={1e-9}", "atom_sigma_r=1e-09"),
        ("atom_sigma_t={0.5}", "", "0 numbers of atom_sigma_t"),
        ("basis=poly3", "basis=poly4", "found basis=poly4, expected poly3 or poly3gauss"),
        ("rcut_soft=3.5", "rcut_soft=4.0", "rcut_soft=4 and rcut_hard=4"),
        ("rcut_hard=4.0", "", "0 numbers of rcut_hard"),
        ("basis=poly3", "scaling_mode=exponential", "expected polynomial"),
        ("basis=poly3", "amplitude_scaling={-1}", "amplitude_scaling=-1"),
        ("basis=poly3", "nf=0", "found nf=0"),
        ("basis=poly3", "radial_enhancement=3", "expected 0 to 2|expected 0 or 1 or 2"),
        ("basis=poly3", "compress_mode=3_1", "compress_mode=3_1"),
        ("central_index=1", "central_index=2", "found central_index=2"),
        ("species_Z={14}", "species_Z={14 14}", "different atomic numbers"),
        ("species_Z={14}", "species_Z={0}", "different atomic numbers"),
        ('covariance_type="2"', 'covariance_type="1"', "kernel ard_se"),
    ],
)
def test_impossible_options_are_one_sentence(plain, tmp_path, old, new, message):
    for file in plain.parent.glob("gap.xml*"):
        shutil.copy(file, tmp_path)
    xml = tmp_path / "gap.xml"
    assert old in xml.read_text()
    xml.write_text(xml.read_text().replace(old, new))
    with pytest.raises(SoapGprError, match=message) as found:
        import_gap(xml)
    assert "\n" not in str(found.value)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return train(tmp_path_factory.mktemp("plain"), turbo(), (14,))
