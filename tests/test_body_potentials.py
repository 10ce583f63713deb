# SPDX-License-Identifier: BSD-3-Clause
"""Models that are sums of pair and three-body potentials, which are tabulated and shown."""

import numpy as np
import pytest
import slow_twin
from body_order import structures
from models import body_order_model, kernel_model, process_model, random_model

from potential import SoapGprError
from potential.cli import main
from potential.model.body_potentials import (
    body_order,
    isolated_energies,
    pair_potential,
    triplet_potential,
)
from potential.reports.body_potentials import add_potentials
from potential.reports.page import Page

RADIAL = {"representation": "radial_spectrum"}
AS_THEY_ARE = {"zeta": 1, "normalize": False, "delta": 0.1}


@pytest.fixture(scope="module")
def pairs():
    return kernel_model(**AS_THEY_ARE, **RADIAL)


@pytest.fixture(scope="module")
def triplets():
    return kernel_model(**AS_THEY_ARE, offset=0.4)


def twin_energy(model, atoms, order):
    """Single atoms, pairs and triplets one by one."""
    species = model.species_indices(atoms.numbers)
    energy = isolated_energies(model)[species].sum()
    near = slow_twin.neighbours(atoms.positions, atoms.cell.array, atoms.pbc, model.cutoff)
    for i, (js, vectors) in enumerate(near):
        r = np.linalg.norm(vectors, axis=1)
        for k, (j, own) in enumerate(zip(js, r, strict=True)):
            energy += pair_potential(model, species[i], species[j], np.array([own]))[0][0] / 2
            for k2 in range(k + 1, len(js) if order == 3 else 0):
                omega = vectors[k] @ vectors[k2] / (own * r[k2])
                kinds = species[i], species[j], species[js[k2]]
                energy += triplet_potential(model, *kinds, own, r[k2], np.clip(omega, -1, 1))
    return energy


@pytest.mark.parametrize(("name", "order"), [("pairs", 2), ("triplets", 3)])
def test_energy_is_the_sum_of_the_potentials(request, name, order):
    model, atoms = request.getfixturevalue(name), structures()["molecule"]
    assert body_order(model) == order
    found = model.evaluate(atoms).energy
    np.testing.assert_allclose(twin_energy(model, atoms, order), found, rtol=1e-11)


def test_periodic_energy_is_the_sum_of_the_pairs(pairs):
    atoms = structures()["smaller than the cutoff"]
    np.testing.assert_allclose(twin_energy(pairs, atoms, 2), pairs.evaluate(atoms).energy)


def test_forces_of_pairs_are_derivatives(pairs):
    r, h = np.linspace(0.8, 3.4, 7), 1e-5
    V = [pair_potential(pairs, 0, 1, r + sign * h)[0] for sign in (1, -1)]
    np.testing.assert_allclose(
        pair_potential(pairs, 0, 1, r)[1], (V[1] - V[0]) / (2 * h), rtol=1e-6, atol=1e-8
    )


def test_pair_and_triplet_terms_are_such_models():
    assert body_order(body_order_model(soap=False, triplets=False)) == 2
    assert body_order(body_order_model(soap=False)) == 3


def test_report_shows_the_potentials(tmp_path, pairs, triplets):
    for model, n in ((pairs, 3), (triplets, 9), (random_model(), 0)):
        page = Page("title", "lead")
        add_potentials(page, model)
        page.write(tmp_path / "page.html")
        assert (tmp_path / "page.html").read_text().count("<figure>") == n


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: random_model(zeta=1), "normalize = true, expected zeta = 1, normalize = false"),
        (lambda: kernel_model(zeta=2, normalize=False), "zeta = 2, expected zeta = 1"),
        (
            lambda: kernel_model(**AS_THEY_ARE, representation="bispectrum"),
            'representation = "bispectrum", expected',
        ),
        (process_model, "found the kind 'triplet'"),
    ],
    ids=["normalised", "zeta", "bispectrum", "ordered triplets"],
)
def test_other_models_are_refused(tmp_path, capsys, model, message):
    with pytest.raises(SoapGprError, match="term 1 is no sum of pair") as error:
        body_order(model())
    assert message in str(error.value)
    model().save(tmp_path / "m.sgpr")
    folder = tmp_path / "out"
    assert main(["export-potentials", str(tmp_path / "m.sgpr"), "-o", str(folder)]) == 1
    assert message in capsys.readouterr().err
    assert not folder.exists()


def test_command_writes_the_tables(tmp_path, capsys, triplets):
    triplets.save(tmp_path / "m.sgpr")
    folder = tmp_path / "out"
    command = ["export-potentials", str(tmp_path / "m.sgpr"), "-o", str(folder), "--grid", "4"]
    assert main([*command, "--points", "20"]) == 0
    assert len(list(folder.iterdir())) == 7  # pairs, and H and O with each of three
    r, r2, omega, V = np.loadtxt(folder / "triplets_O-H-O.txt").T
    assert len(V) == 64
    np.testing.assert_allclose(V, triplet_potential(triplets, 1, 0, 1, r, r2, omega), atol=1e-14)
    text = (folder / "pairs.table").read_text()
    assert "H_O\nN 20 R 0.5 3.5" in text
    number, r, V, force = np.loadtxt(text.split("H_O\n")[1].split("\n\n")[1].splitlines()).T
    np.testing.assert_allclose([V, force], pair_potential(triplets, 0, 1, r), atol=1e-14)
    assert number.tolist() == list(range(1, 21))
    assert main([*command, "--from", "9"]) == 1
    assert "found 9 Å for the first distance, expected one below 3.5 Å" in capsys.readouterr().err
