# SPDX-License-Identifier: BSD-3-Clause
"""Maps by uncertainty, rigidity and local energy; rigidities of terms."""

import json
import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from training_data import emt_frames, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.maps.catalogue import catalogue_of
from potential.maps.model_properties import OF_MODEL
from potential.model import Model
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel
from potential.training.fitting import fit
from potential.uncertainty import ProjectedProcess
from potential.uncertainty.of_structures import structure_uncertainty
from potential.uncertainty.projected_process import sparse_sets

TERMS = [dict(cutoff=4.0, n_max=3, l_max=2, zeta=2, n_sparse=10), dict(kind="pair", cutoff=4.0)]


@pytest.fixture(scope="module")
def model():
    """Two terms, with variances."""
    settings = {"terms": TERMS, "uncertainty": {"calibration": 4}}
    return fit(settings, train=emt_frames(8), progress=False).model


@pytest.fixture(scope="module")
def frames():
    return emt_frames(4, seed=5)


@pytest.fixture(scope="module")
def structures(frames):
    return [structure_from_atoms(atoms, source=f"a.xyz#{k}") for k, atoms in enumerate(frames)]


def expected(model, structures):
    """What each property is of atoms."""
    found = [model.evaluate(own, uncertainty=("variance",)) for own in structures]
    e0 = [np.array([model.e0[z] for z in own.numbers.tolist()]) for own in structures]
    return {
        "uncertainty": [own.uncertainty.deviations for own in found],
        "rigidity": [np.log10(own.uncertainty.rigidities) for own in found],
        "local_energy": [own.energies - e for own, e in zip(found, e0, strict=True)],
    }


@pytest.mark.parametrize(
    ("name", "unit", "of_structure"),
    [
        ("uncertainty", "eV", np.max),
        ("rigidity", "log10 of 1/eV²", np.min),
        ("local_energy", "eV", np.mean),
    ],
)
def test_properties_are_those_of_the_model(model, frames, structures, name, unit, of_structure):
    own = expected(model, structures)[name]
    atoms = OF_MODEL[name](catalogue_of(frames, structures, True)[0], model, lambda x, _: x)
    np.testing.assert_allclose(atoms.values, np.concatenate(own))
    assert atoms.unit == unit
    whole = OF_MODEL[name](catalogue_of(frames, structures, False)[0], model, lambda x, _: x)
    np.testing.assert_allclose(whole.values, [of_structure(values) for values in own])


def test_rigidities_of_terms_are_those_of_their_columns(model, structures):
    trained = TrainingModel(model.to_bytes())
    rows = trained.atom_rows(trained.environments(structures[0]))
    T = ProjectedProcess(model)._T
    found = structure_uncertainty(model, structures[0], "rigidity").arrays
    for term in (0, 1):
        kept = np.zeros(rows.shape[1])
        for own in sparse_sets(trained):
            kept[own.columns] = own.term.index == term
        lpr = 1 / (((rows * kept) @ T) ** 2).sum(axis=1)
        np.testing.assert_allclose(found[f"rigidities_{term + 1}"], lpr, rtol=1e-6)
    assert "rigidities_1" not in structure_uncertainty(model, structures[0], "variance").arrays


def test_models_without_a_measure_are_refused(model, frames, structures):
    points, _ = catalogue_of(frames, structures, False)
    plain = fit({"terms": TERMS[:1]}, train=emt_frames(4), progress=False).model
    for name in ("uncertainty", "rigidity"):
        with pytest.raises(SoapGprError, match="found no measure of uncertainty in the model"):
            OF_MODEL[name](points, plain, lambda x, _: x)


def test_map_is_coloured_by_measures(model, frames, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_frames("a.xyz", frames)
    model.save("model.sgpr")
    line = "map a.xyz --model model.sgpr --per atom --by rigidity uncertainty local_energy"
    assert main(line.split()) == 0
    page = Path("map.html").read_text()
    data = re.search(r'<script[^>]*id="map-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1]
    labels = json.loads(data)["labels"]
    assert len(labels) == sum(map(len, frames))
    assert all(re.search(r"rigidity: .*\nuncertainty: .* eV\nlocal_energy: ", x) for x in labels)


def test_selection_by_rigidity_writes_those_of_terms(model, frames, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_frames("a.xyz", frames)
    model.save("model.sgpr")
    assert (
        main(["select", "model.sgpr", "a.xyz", "-n", "2", "--by", "rigidity", "-o", "out.xyz"]) == 0
    )
    atoms = ase.io.read("out.xyz")
    lpr = Model.load("model.sgpr").evaluate(atoms, uncertainty=("variance",)).uncertainty.rigidities
    assert np.allclose(atoms.arrays["rigidities"], lpr, rtol=1e-3)
    assert {"rigidities_1", "rigidities_2"} <= set(atoms.arrays)
