# SPDX-License-Identifier: BSD-3-Clause
"""Variances of GAP potentials are QUIP's."""

import re

import ase
import ase.io
import numpy as np
import pytest
from gap_models import (
    CLUSTERS,
    PAIR,
    SOAP,
    TRIPLET,
    quip_potential,
    structures,
    train,
    turbo,
)

from potential.cli import main
from potential.errors import SoapGprError
from potential.gap import variance
from potential.gap.importing import import_gap
from potential.gap.read.gap_file import read_gap
from potential.gap.variance import GapVariance
from potential.structures.structure import structure_from_atoms

# name: (descriptors, species)
MODELS = {
    "soap": (SOAP, (6, 14)),
    "covariance_sigma0": (f"{SOAP} covariance_sigma0=0.1 zeta=2.5 central_weight=0.3", (6, 14)),
    "zeta 2": (f"{SOAP} zeta=2 diagonal_radial=T", (6, 14)),
    # wide atoms, without which features and what they explain would be nearly nothing
    "not normalised": (f"{SOAP} normalise=F zeta=2 atom_sigma=1.0", (6, 14)),
    "soap of f0": (f"{SOAP} f0=0.3", (6, 14)),
    "two soaps": (f"{SOAP} : {SOAP} cutoff=3.0 zeta=2 n_max=3 delta=0.2", (6, 14)),
    "Z_mix of any centre": (f"{SOAP} Z_mix=T K=2 sym_mix=F coupling=T", (6, 14)),
    "soap_turbo": (turbo(2, alpha_max=(3, 4), compress_mode="trivial"), (6, 14)),
    "pairs": (PAIR, (6, 14)),
    "pairs of f0": (f"{PAIR} f0=0.02", (6, 14)),
    "pp": (PAIR.replace("ard_se", "pp"), (6, 14)),
    "tail": (f"{PAIR} tail_exponent=2 tail_range=1.5", (6, 14)),
    "clusters of two": (PAIR.replace("2b", "Nb order=2"), (6, 14)),
    "loose clusters of two": (PAIR.replace("2b", "Nb order=2 compact_clusters=F"), (6, 14)),
    "angles": (TRIPLET, (6, 14)),
    "clusters": (CLUSTERS, (14,)),
    "loose clusters": (f"{CLUSTERS} compact_clusters=F", (6, 14)),
    "all": (f"{PAIR} : {SOAP} : {TRIPLET}", (6, 14)),
}


def variances(xml, atoms, regularisation):
    """QUIP's, (N,) eV²."""
    atoms = atoms.copy()
    if not atoms.pbc.any():
        atoms.cell = [40.0, 40.0, 40.0]  # QUIP wants a cell
    arguments = f"local_gap_variance gap_variance_regularisation={regularisation}"
    quip = quip_potential(xml, calc_args=arguments)
    quip.calculate(atoms, ["energy"])
    return quip.extra_results["atoms"]["local_gap_variance"]


@pytest.mark.parametrize("name", MODELS)
def test_variances_are_those_of_quip(tmp_path, name):
    descriptors, species = MODELS[name]
    xml = train(tmp_path, descriptors, species)
    for regularisation in (0.05, 0.001):
        if regularisation == 0.001 and name == "pairs of f0":
            continue  # QUIP's is negative there, and it stops
        own = GapVariance(xml, regularisation=regularisation)
        for atoms in structures(species).values():
            found = own.local(structure_from_atoms(atoms))
            expected = variances(xml, atoms, regularisation)
            # (X ᵀX)^ζ has the rounding of both programs, and (K + σ² I)⁻¹ multiplies it
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)


def test_variances_of_mixed_compact_clusters_are_the_mean_over_orders(tmp_path):
    xml = train(tmp_path, CLUSTERS)
    trimer = structures()["cluster"][[0, 1, 2]]
    trimer.numbers = [6, 6, 14]
    found = GapVariance(xml).local(structure_from_atoms(trimer))
    orders = [variances(xml, trimer[order], 0.001)[order] for order in ([0, 1, 2], [1, 0, 2])]
    assert np.abs(orders[0] - orders[1]).max() > 1e-6
    np.testing.assert_allclose(found, np.mean(orders, axis=0), rtol=1e-9)


@pytest.mark.parametrize("options", ["", "add_species=F Z={{0 0 14}}"])
def test_literal_clusters_have_the_variance_of_quip_in_any_order(tmp_path, options):
    xml = train(tmp_path, f"{CLUSTERS} {options}")
    own = GapVariance(xml, literal_clusters=True)
    assert own.warnings and all(
        "depends on the order of the atoms" in text for text in own.warnings
    )
    for name, atoms in structures().items():
        orders = atoms, atoms[::-1]
        found = [own.local(structure_from_atoms(frame)) for frame in orders]
        for values, frame in zip(found, orders, strict=True):
            np.testing.assert_allclose(values, variances(xml, frame, 0.001), rtol=1e-9, atol=1e-10)
        if name == "periodic":
            assert np.abs(found[0] - found[1][::-1]).max() > 1e-6


def test_variance_of_pairs_is_the_noise_at_sparse_points_and_the_prior_far_from_them(tmp_path):
    xml = train(tmp_path, f"{PAIR.replace('ard_se', 'pp')} theta_uniform=0.2", species=(14,))
    (coordinate,) = read_gap(xml).coordinates
    known = coordinate.points[(coordinate.points < 3.4).all(axis=1), 0]  # the cutoff starts at 3.5
    own, noise = GapVariance(xml), 0.001**2
    assert len(known) >= 2 and known.min() > 0.7
    for r, expected in [*((r, 2 * noise) for r in known), (0.4, 0.5**2 + noise)]:
        pair = structure_from_atoms(ase.Atoms("Si2", positions=[[0, 0, 0], [r, 0, 0]]))
        np.testing.assert_allclose(own.local(pair), expected, rtol=1e-4)


def test_variance_is_small_at_sparse_points_and_large_far_from_them(tmp_path):
    xml = train(tmp_path, f"{SOAP} n_sparse=36", species=(6, 14))  # all environments of the fit
    frames = ase.io.read(tmp_path / "train.xyz", ":")
    own = GapVariance(xml)
    known = np.concatenate([own.local(structure_from_atoms(frame)) for frame in frames])
    unknown = own.local(structure_from_atoms(ase.Atoms("Si2", positions=[[0, 0, 0], [0.9, 0, 0]])))
    assert known.max() < 1e-4 * 0.5**2 < 0.1 * 0.5**2 < unknown.min() < 0.5**2


def test_variances_are_the_same_in_small_chunks(tmp_path, monkeypatch):
    own = GapVariance(train(tmp_path, f"{PAIR} : {SOAP} : {TRIPLET}"))
    structure = structure_from_atoms(structures()["periodic"])
    whole = own.local(structure)
    monkeypatch.setattr(variance, "CHUNK", 7)
    np.testing.assert_allclose(own.local(structure), whole, rtol=1e-9, atol=1e-12)


def test_command_warns_of_clusters_that_depend_on_the_order_of_atoms(tmp_path, capsys):
    command = ["gap-variance", str(train(tmp_path, CLUSTERS)), str(tmp_path / "train.xyz@0")]
    written = []
    for form, text in [("corrected", "the mean over their orders"), ("literal", "does so too")]:
        out = tmp_path / f"{form}.xyz"
        assert main([*command, "-o", str(out), "--clusters", form]) == 0
        assert text in capsys.readouterr().err
        written.append(ase.io.read(out).arrays["local_gap_variance"])
    assert np.abs(written[0] - written[1]).max() > 1e-6


def test_command_writes_variances_of_atoms(tmp_path, capsys):
    xml, out = train(tmp_path, f"{PAIR} : {SOAP}"), tmp_path / "out.xyz"
    data = str(tmp_path / "train.xyz@:2")
    assert main(["gap-variance", str(xml), data, "-o", str(out)]) == 0
    frames = ase.io.read(out, ":")
    own = GapVariance(xml).local(structure_from_atoms(frames[1]))
    np.testing.assert_allclose(frames[1].arrays["local_gap_variance"], own, atol=1e-8)
    largest = max(np.sqrt(frame.arrays["local_gap_variance"].max()) for frame in frames)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [["C", "12"], ["Si", "12"]]
    assert max(float(line.split()[3]) for line in lines[2:]) == pytest.approx(largest, rel=1e-3)


@pytest.mark.parametrize(
    "command, message",
    [
        ("gap.xml water.xyz -o out.xyz", r"water.xyz#0: the potential does not know H, O"),
        ("gap.xml train.xyz -o out.xyz --regularisation 0", "found 0.0, expected a number above"),
        ("gap.xml train.xyz -o none/out.xyz", "none"),
        ("gap.xml train.xyz -o gap.xml", "gap.xml: is the file to read"),
        ("gap.xml train.xyz@:2 -o train.xyz", "train.xyz: is the file to read"),
        ("empty.xml train.xyz -o out.xyz", "found no sparse points, which a variance needs"),
    ],
)
def test_failures_are_one_sentence_and_write_nothing(
    tmp_path, monkeypatch, capsys, command, message
):
    xml = train(tmp_path, SOAP)
    ase.io.write(tmp_path / "water.xyz", ase.Atoms("OH2", positions=np.diag([1.0, 2, 3])))
    text = re.sub(r"<gpSparse.*</gpSparse>", "", xml.read_text(), flags=re.DOTALL)
    text = text.replace("</GAP_params>", '<gpSparse n_coordinate="0"/></GAP_params>')
    (tmp_path / "empty.xml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["gap-variance", *command.split()]) == 1
    error = capsys.readouterr().err
    assert re.search(message, error) and error.count("\n") == 1
    assert not (tmp_path / "out.xyz").exists()


def test_species_are_those_of_the_import(tmp_path):
    xml = train(tmp_path, f"{PAIR} add_species=F", species=(14,))
    assert tuple(GapVariance(xml).species) == import_gap(xml)[0].species == (14,)
    with pytest.raises(SoapGprError, match="does not know Si"):
        GapVariance(xml, species=[6]).local(structure_from_atoms(ase.Atoms("Si")))


def test_corrected_variances_do_not_depend_on_the_order_of_the_atoms(tmp_path):
    own = GapVariance(train(tmp_path, f"{CLUSTERS} add_species=F Z={{{{0 0 14}}}}"))
    for atoms in structures().values():
        found = own.local(structure_from_atoms(atoms))
        other = own.local(structure_from_atoms(atoms[::-1]))
        np.testing.assert_allclose(found, other[::-1], rtol=1e-9, atol=1e-12)
