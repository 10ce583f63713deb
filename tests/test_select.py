# SPDX-License-Identifier: BSD-3-Clause
"""soap-gpr select: uncertain, unlike each other, and unlike the training structures."""

import json
import re

import ase.io
import numpy as np
import pytest
from training_data import emt_frames, small_toml, write_frames

from potential.active_learning.selection import features_of, kernel_of_structures, select_structures
from potential.cli import main
from potential.errors import SoapGprError
from potential.maps.points import points_of
from potential.model import Model
from potential.structures.read import geometry

pytestmark = pytest.mark.check

N = 16  # structures of the pool
MODELS = {
    "model.sgpr": "[uncertainty]\ncalibration = 4\ncommittee = 4\n",
    "committee.sgpr": "[uncertainty]\ncalibration = 4\ncommittee = 4\nvariance = false\n",
    "variance.sgpr": "[uncertainty]\ncalibration = 4\n",
    "plain.sgpr": "",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and a pool, whose frames 3 and 9 are training structures, turned and repeated."""
    folder = tmp_path_factory.mktemp("select")
    train, pool = emt_frames(8, seed=1), emt_frames(N, seed=2)
    write_frames(folder / "train.xyz", train)
    for name, measures in MODELS.items():
        toml = small_toml(20) + measures
        (folder / "fit.toml").write_text(toml.replace('test = ["test.xyz"]\n', ""))
        assert main(["fit", str(folder / "fit.toml"), "-o", str(folder / name)]) == 0
    pool[3] = train[0].copy()
    pool[3].rotate(40, "z", rotate_cell=True)
    pool[9] = train[1].repeat((1, 2, 1))
    pool[12] = pool[5].copy()
    write_frames(folder / "pool.xyz", pool)
    return folder


@pytest.fixture
def run(folder, capsys, monkeypatch):
    """Runs soap-gpr select in the folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(folder)

    def run(line):
        try:
            code = main(["select", *line.split()])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def pool(folder):
    frames = ase.io.read(folder / "pool.xyz", ":")
    return [geometry(atoms, f"pool.xyz#{k}") for k, atoms in enumerate(frames)]


@pytest.fixture(scope="module")
def train(folder):
    frames = ase.io.read(folder / "train.xyz", ":")
    return [geometry(atoms, f"train.xyz#{k}") for k, atoms in enumerate(frames)]


@pytest.fixture(scope="module")
def term(folder):
    return features_of(Model.load(folder / "model.sgpr"), "model")


def test_copies_of_training_structures_and_of_each_other_are_never_chosen(term, pool, train):
    scores = np.zeros(N)
    scores[[3, 9, 5, 12]] = 9.0, 8.0, 7.0, 6.0
    found = select_structures(term, pool, scores, N, train=train, fraction=1)
    assert found.duplicates.tolist() == [3, 9, 12] and found.chosen[0] == 5
    assert set(found.chosen) == set(range(N)) - {3, 9, 12}


def test_choice_is_farthest_points_among_the_most_uncertain(term, pool, train):
    """Against the loop: always the candidate that is farthest from what there is already."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=N)
    found = select_structures(term, pool, scores, 4, train=train, fraction=0.6)
    candidates = np.argsort(-scores)[:10]
    assert found.candidates.tolist() == candidates.tolist()
    points = points_of(term, [*train, *pool], kernel_of_structures(term))
    d = points.distances(np.arange(len(train) + N), np.arange(len(train) + N))
    taken = list(range(len(train)))
    left = [k + len(train) for k in candidates if k not in (3, 9, 12)]
    for _ in range(4):
        best = max((k for k in left if k not in taken), key=lambda k: d[k, taken].min())
        taken.append(best)
    expected = {k - len(train) for k in taken[len(train) :]}
    assert set(found.chosen) == expected
    assert np.all(np.diff(scores[found.chosen]) <= 0), "the most uncertain first"
    place = {k: i for i, k in enumerate(found.chosen)}
    for k in expected:
        others = [j for j in taken if j != k + len(train)]
        assert found.distance[place[k]] == pytest.approx(d[k + len(train), others].min())


def test_without_training_structures_the_most_uncertain_is_the_first(term, pool):
    scores = np.linspace(0, 1, N)
    assert select_structures(term, pool, scores, 1).chosen.tolist() == [N - 1]
    found = select_structures(term, pool, scores, 3, fraction=0.5)
    assert N - 1 in found.chosen and len(found.chosen) == 3
    assert found.candidates.min() == N - 8


def test_one_structure_alone_is_chosen(term, pool):
    found = select_structures(term, pool[:1], [0.1], 5)
    assert found.chosen.tolist() == [0] and found.distance.tolist() == [np.inf]


def test_uncertainty_that_is_not_finite_is_named(term, pool):
    scores = np.ones(N)
    scores[4] = np.nan
    with pytest.raises(SoapGprError, match=r"pool\.xyz#4: found an uncertainty that is not finite"):
        select_structures(term, pool, scores, 2)


def measured(model, atoms, by):
    """Columns of the atoms, and the number that ranks a structure."""
    found = model.evaluate(atoms, uncertainty=("forces", "variance")).uncertainty
    if by == "committee":
        return {
            "forces_uncertainty": found.forces_uncertainty,
            "energies_uncertainty": found.energies_uncertainty,
        }, np.linalg.norm(found.forces_uncertainty, axis=1).max()
    sigma = found.deviations
    if by == "rigidity":
        sigma = model.uncertainty.rigidity.energy / np.sqrt(found.rigidities)
    arrays = {"energies_uncertainty": sigma, "grades": found.grades}
    return arrays | {"rigidities": found.rigidities}, sigma.max()


@pytest.mark.parametrize(
    ("by", "unit"), [("committee", "eV/Å"), ("variance", "eV"), ("rigidity", "eV")]
)
def test_frames_are_written_with_their_measures(run, folder, by, unit):
    line = f"model.sgpr pool.xyz -n 4 --by {by} --train train.xyz -o out.xyz --json out.json"
    code, out, err = run(line)
    assert code == 0 and err == "soap-gpr: wrote out.xyz\nsoap-gpr: wrote out.json\n"
    frames = ase.io.read("out.xyz", ":")
    written = json.loads((folder / "out.json").read_text())
    assert written["by"] == by and written["uncertainty"]["unit"] == unit
    assert len(frames) == len(written["selected"]) == 4
    pool, model = ase.io.read("pool.xyz", ":"), Model.load("model.sgpr")
    for atoms, row in zip(frames, written["selected"], strict=True):
        source = atoms.info["selected_from"]
        assert row["frame"] == source and re.search(rf"^{source} ", out, re.MULTILINE)
        original = pool[int(source.partition("#")[2])]
        assert np.allclose(atoms.positions, original.positions)
        assert atoms.info["name"] == original.info["name"]
        assert atoms.get_potential_energy() == original.get_potential_energy()
        arrays, score = measured(model, original, by)
        assert atoms.info["uncertainty"] == pytest.approx(score) == row["uncertainty"]
        assert atoms.info["uncertainty_measure"] == by
        for name, values in arrays.items():
            assert np.allclose(atoms.arrays[name], values, rtol=1e-3, atol=1e-6), name
        if by == "committee":
            own = model.evaluate(original, uncertainty=("energies",)).uncertainty
            energy = own.energy_uncertainty
            assert atoms.info["energy_uncertainty"] == pytest.approx(energy)
            assert row["energy_uncertainty"] == pytest.approx(energy)
    assert f"4 of {N} structures, from the 8 with the largest uncertainty by {by}" in out


def test_measure_is_by_default_the_committee(run):
    assert "uncertainty by committee" in run("model.sgpr pool.xyz -n 2 --train train.xyz")[1]
    assert "uncertainty by variance" in run("variance.sgpr pool.xyz -n 2 --train train.xyz")[1]


def test_what_is_not_compared_or_not_found_is_said(run):
    code, _, err = run("model.sgpr pool.xyz -n 16 --fraction 1")
    assert code == 0
    assert "warning: nothing was compared with the training set: --train names it" in err
    assert "warning: 15 structures were found for -n 16" in err


def test_json_goes_to_standard_output_alone(run):
    code, out, _ = run("model.sgpr pool.xyz pool.xyz@:4 -n 2 --train train.xyz --json -")
    assert code == 0 and json.loads(out)["pool"] == N + 4


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("model.sgpr nothing.xyz -n 2", ["nothing.xyz: found nothing"]),
        ("model.sgpr pool.xyz -n 2 -o pool.xyz", ["pool.xyz: is the file to read"]),
        ("model.sgpr pool.xyz -n 2 --train none.xyz", ["none.xyz: found nothing"]),
        ("model.sgpr other.xyz -n 2", ["other.xyz#0", "does not know Ag"]),
        ("train.xyz pool.xyz -n 2", ["train.xyz"]),
    ],
)
def test_wrong_input_is_one_sentence(run, folder, line, words):
    other = emt_frames(1)[0]
    other.symbols[0] = "Ag"
    other.calc = None
    write_frames(folder / "other.xyz", [other])
    code, _, err = run(line)
    assert code == 1 and err.startswith("soap-gpr: error: ") and err.count("\n") == 1, err
    assert all(word in err for word in words), err


def test_measure_that_a_model_lacks_is_named(run):
    code, _, err = run("committee.sgpr pool.xyz -n 2 --by rigidity")
    assert code == 1 and "found committee alone in the model, expected 'rigidity'" in err
    code, _, err = run("plain.sgpr pool.xyz -n 2")
    assert code == 1 and "plain.sgpr: found no measure of uncertainty in the model" in err


@pytest.mark.parametrize("option", ["-n 0", "-n 2 --fraction 2", "-n 2 --by colour", ""])
def test_options_out_of_range_are_wrong_usage(run, option):
    assert run(f"model.sgpr pool.xyz {option}")[0] == 2
