# SPDX-License-Identifier: BSD-3-Clause
"""Imported GAP potentials give what QUIP gives."""

import re

import numpy as np
import pytest
from gap_models import CLUSTERS, PAIR, SOAP, TRIPLET, add_glue, assert_same, structures, train

from potential.cli import main
from potential.gap.importing import import_gap
from potential.gap.soap.radial import rounding
from potential.model.compression import compress
from potential.structures.structure import structure_from_atoms

# name: (descriptors, further options)
MODELS = {
    "soap": (SOAP, []),
    "soap central_weight": (f"{SOAP} central_weight=0.3 cutoff_transition_width=1.0", []),
    "soap inline": (SOAP, ["sparse_separate_file=F"]),
    "soap and pairs": (f"{PAIR} : {SOAP}", []),
    "pairs": (PAIR, []),
    "covariance_sigma0": (f"{SOAP} covariance_sigma0=0.1 zeta=2.5", []),
    "not normalised": (f"{SOAP} normalise=F zeta=2 delta=0.05", []),
    "gto": (f"{SOAP} radial_basis=GTO cutoff_dexp=2 cutoff_scale=3.0 cutoff_rate=1.5", []),
    "inverse power": (f"{SOAP} cutoff_dexp=3 cutoff_scale=2.0 cutoff_rate=0.0", []),
    "poly": (f"{SOAP} radial_basis=POLY n_max=3 zeta=2", []),
    "central_reference_all_species": (f"{SOAP} central_reference_all_species=T zeta=1", []),
    "diagonal_radial": (f"{SOAP} diagonal_radial=T", []),
    "nu_R 2 nu_S 0": (f"{SOAP} nu_R=2 nu_S=0", []),
    "nu_R 1 nu_S 1": (f"{SOAP} nu_R=1 nu_S=1", []),
    "nu_R 0 nu_S 2": (f"{SOAP} nu_R=0 nu_S=2", []),
    "nu_R 1 nu_S 2": (f"{SOAP} nu_R=1 nu_S=2 zeta=2", []),
    "Z_mix": (f"{SOAP} Z_mix=T K=2 sym_mix=F coupling=T", []),
    "R_mix": (f"{SOAP} R_mix=T K=3 sym_mix=T coupling=T", []),
    "R_mix Z_mix": (f"{SOAP} R_mix=T Z_mix=T K=4 sym_mix=T coupling=F", []),
    "Z_mix by element": (f"{SOAP} Z_mix=T K=2 sym_mix=T coupling=F mix_shift=3", []),
    "R_mix by element": (f"{SOAP} R_mix=T K=2 sym_mix=F coupling=F", []),
    "R_mix by element, symmetric": (f"{SOAP} R_mix=T K=2 sym_mix=T coupling=F", []),
    "Z_map": (f"{SOAP} Z_map={{{{6 14}}}}", []),
    "two Z_maps": (f"{SOAP} Z_map={{{{6, 14 : 6 14}}}}", []),
    "any centre": (f"{SOAP} add_species=F n_species=2 species_Z={{{{14 6}}}}", []),
    "any species": (f"{SOAP} add_species=F", []),
    "distance_Nb": (PAIR.replace("distance_2b", "distance_Nb order=2"), []),
    "distance_Nb loose": (PAIR.replace("2b", "Nb order=2 compact_clusters=F"), []),
    "narrow pairs": (f"{PAIR} theta_uniform=0.02", []),
    "pp": (PAIR.replace("ard_se", "pp"), []),
    "exponents": (f"{PAIR} n_exponents=2 exponents={{{{-1 -3}}}} theta_uniform=0.3", []),
    "tail": (f"{PAIR} tail_exponent=2 tail_range=1.5", []),
    "tail under one taper": (f"{PAIR} tail_exponent=1 cutoff_transition_width=4.0", []),
}


MODELS |= {
    "two centres": (
        f"{SOAP} add_species=F n_Z=2 Z={{{{6 14}}}} n_species=2 species_Z={{{{6 14}}}}",
        [],
    ),
    "two soaps": (f"{SOAP} : {SOAP} cutoff=3.0 zeta=2 n_max=3 delta=0.2", []),
    "pairs of any species": (f"{PAIR} add_species=F", []),
    "f0": (f"{PAIR} f0=0.3 : {SOAP} f0=0.3", []),
}


@pytest.mark.parametrize("name", MODELS)
def test_imported_potentials_give_what_quip_gives(tmp_path, name):
    descriptors, extra = MODELS[name]
    xml = train(tmp_path, descriptors, extra=extra)
    model, warnings = import_gap(xml)
    assert warnings == []
    for atoms in structures().values():
        assert_same(model, xml, atoms)


LOOSE = {
    "closing brace": (" n_species", " } n_species", ["'}'"]),
    "closing brace on a value": ("=random", "=random}", []),
    "closing brace at the end": ("</descriptor>", " }</descriptor>", ["'}'"]),
    "name later": (">soap ", "> zeta=4 soap,", []),
    "quotes and commas": ("n_max=4", "n_max='4',", []),
    "key of another version": ("n_max=4", "n_max=4 radial_scaling=0.0", ["radial_scaling=0.0"]),
}


@pytest.mark.parametrize("old, new, named", LOOSE.values(), ids=LOOSE)
def test_texts_of_published_descriptors_are_read_as_quip_reads_them(tmp_path, old, new, named):
    xml = train(tmp_path, SOAP)
    text = xml.read_text()
    assert old in text
    xml.write_text(text.replace(old, new))
    model, warnings = import_gap(xml)
    assert len(warnings) == (2 if named else 0)  # one for each centre
    assert all(name in warning for name in named for warning in warnings)
    for atoms in structures().values():
        assert_same(model, xml, atoms)


NARROW = "theta_uniform=0.05"


@pytest.mark.parametrize(
    "descriptor, species, summed",
    [
        (TRIPLET, (6, 14), False),
        (CLUSTERS, (14,), False),
        (f"{CLUSTERS} compact_clusters=F", (6, 14), False),
        (TRIPLET.replace("ard_se", "pp"), (6, 14), True),
        (CLUSTERS.replace("ard_se", "pp"), (14,), True),
        (f"{CLUSTERS.replace('ard_se', 'pp')} compact_clusters=F f0=0.2", (6, 14), True),
        (f"{CLUSTERS} {NARROW}", (14,), True),
        (f"{TRIPLET} {NARROW}", (14,), True),
    ],
)
def test_imported_triplets_give_what_quip_gives(tmp_path, descriptor, species, summed):
    xml = train(tmp_path, descriptor, species)
    model, warnings = import_gap(xml)
    assert warnings == []
    assert all(("processes" in term) == summed for term in model.terms)
    for atoms in structures(species).values():
        assert_same(model, xml, atoms)


def test_a_scale_of_energies_and_a_baseline_give_what_quip_gives(tmp_path):
    """Over every kind of term."""
    xml = train(tmp_path, f"{SOAP} : {PAIR} : {TRIPLET} covariance_type=pp f0=0.2")
    add_glue(xml)
    xml.write_text(xml.read_text().replace("IP GAP label", "IP GAP E_scale=2.5 label"))
    model, warnings = import_gap(xml)
    assert warnings == []
    for atoms in structures().values():
        assert_same(model, xml, atoms)


@pytest.mark.parametrize("kernel", ["ard_se", "pp"])
def test_compact_clusters_of_two_species_have_the_mean_over_orders(tmp_path, kernel):
    xml = train(tmp_path, CLUSTERS.replace("ard_se", kernel))
    model, warnings = import_gap(xml)
    from quippy.potential import Potential  # train skips the test without it

    assert warnings and all("depends on the order of the atoms" in text for text in warnings)
    trimer = structures()["cluster"][[0, 1, 2]]
    trimer.numbers, trimer.cell = [6, 6, 14], 40 * np.eye(3)
    quip, energies = Potential(param_filename=str(xml)), []
    for order in ([0, 1, 2], [1, 0, 2]):
        quip.calculate(trimer[order], ["energy"])
        energies.append(quip.results["energy"])
    assert abs(energies[0] - energies[1]) > 1e-6
    found = model.evaluate(trimer.numbers, trimer.positions).energy
    assert found == pytest.approx(np.mean(energies), rel=1e-8)


def test_bases_that_are_mostly_rounding_are_warned_of(tmp_path):
    xml = train(tmp_path, f"{SOAP} radial_basis=POLY n_max=6", (14,))
    model, warnings = import_gap(xml)
    assert len(warnings) == 1 and "POLY of n_max=6 is close to singular" in warnings[0]
    for atoms in structures((14,)).values():
        assert_same(model, xml, atoms, energy=1e-6)


def test_condition_of_the_poly_basis_is_that_of_the_documents():
    found = [rounding("poly", n, 3, 0.5, 7.4) for n in (6, 7, 8)]
    assert found[0] == pytest.approx(6e8, rel=0.05)
    assert found[1] / found[0] == pytest.approx(36, rel=0.05)
    assert found[2] / found[1] == pytest.approx(36, rel=0.05)


def test_pairs_of_different_species_are_one_term(tmp_path):
    other = PAIR.replace("4.0", "3.0").replace("0.5", "0.3")
    model, _ = import_gap(train(tmp_path, f"{PAIR} : {other} : {SOAP}"))
    pairs = [term for term in model.terms if term["kind"] == "pair"]
    assert [term["cutoff"] for term in pairs] == [4.0, 3.0]
    assert all(len([own for own in term["segments"] if own]) == 3 for term in pairs)


def test_imported_potentials_can_be_compressed(tmp_path):
    descriptor = f"{SOAP} covariance_sigma0=0.1 zeta=2.5 nu_R=1 nu_S=2".replace("=8", "=60")
    model, _ = import_gap(train(tmp_path, descriptor))
    frames = [structure_from_atoms(atoms) for atoms in structures().values()]
    smaller = compress(model, frames, 1e-3)
    assert smaller.deviation.force <= 1e-3
    assert all(after < before for before, after in smaller.ranks.values())


@pytest.mark.parametrize("options", ["", "add_species=F Z={{0 0 14}}", "covariance_type=pp"])
def test_literal_compact_clusters_follow_the_order_of_the_atoms(tmp_path, options):
    xml = train(tmp_path, f"{CLUSTERS} {options}")
    model, warnings = import_gap(xml, literal_clusters=True)
    assert warnings and all("depends on the order of the atoms" in text for text in warnings)
    found = structures()
    found["tiny cell"].positions += [[2], [-3]] @ found["tiny cell"].cell.array[:1]
    for name, atoms in found.items():
        other = atoms[::-1]
        assert_same(model, xml, atoms)
        assert_same(model, xml, other)
        energies = [
            model.evaluate(a.numbers, a.positions, a.cell.array, a.pbc).energy
            for a in (atoms, other)
        ]
        if name in ("periodic", "cluster"):
            assert abs(energies[0] - energies[1]) > 1e-3


def test_negative_products_have_no_real_power(tmp_path):
    mixed = SOAP.replace("zeta=4", "zeta=2") + " R_mix=T K=2 sym_mix=F coupling=F"
    xml = train(tmp_path, mixed, (14,))
    from quippy.potential import Potential  # train skips the test without it

    xml.write_text(re.sub(r'zeta="2[^"]*"', 'zeta="1.7"', xml.read_text()))
    atoms = structures((14,))["periodic"]
    quip = Potential(param_filename=str(xml))
    quip.calculate(atoms, ["energy"])
    assert np.isnan(quip.results["energy"])
    model, _ = import_gap(xml)
    assert np.isfinite(model.evaluate(atoms.numbers, atoms.positions, atoms.cell, True).energy)


def test_isolated_atoms_without_central_weight_have_their_e0(tmp_path):
    model, _ = import_gap(train(tmp_path, f"{SOAP} central_weight=0.0"))
    found = model.evaluate([6, 14], [[0, 0, 0], [20.0, 0, 0]])
    np.testing.assert_allclose(found.energies, [-0.6, -1.4], rtol=1e-12)
    assert not found.forces.any()


def test_check_prints_the_largest_differences(tmp_path, capsys):
    xml = train(tmp_path, f"{PAIR} : {SOAP}")
    command = ["import-gap", str(xml), "-o", str(tmp_path / "model.sgpr")]
    assert main([*command, "--check", str(tmp_path / "train.xyz@:2")]) == 0
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in lines] == ["energy", "force", "virial"]
    assert all(float(line.split()[1]) < 1e-7 for line in lines)


@pytest.mark.parametrize("version", [None, 1400000000, 1424000000, 1500000000])
def test_files_of_older_programs_are_read_as_quip_reads_them(tmp_path, version):
    loose = PAIR.replace("distance_2b", "distance_Nb order=2")
    xml = train(tmp_path, f"{SOAP} central_weight=0.5 : {loose}")
    stamp = "" if version is None else f'gap_version="{version}"'
    xml.write_text(re.sub(r'gap_version="\d+"', stamp, xml.read_text()))
    model, _ = import_gap(xml)
    for atoms in structures().values():
        assert_same(model, xml, atoms)
