# SPDX-License-Identifier: BSD-3-Clause
"""Committees of targets of kernels between structures: members are kernel ridge regressions on
halves of the structures, calibrated on structures left out (docs/theory.md eq. 25q)."""

import json

import numpy as np
import pytest
from ase import Atoms
from kernel_targets import GAP, TERM, VOLUME, molecules, settings, with_kernel_target
from models import random_model, random_structure
from test_target_members import changed
from training_data import write_frames
from uncertain import with_target_members

from potential import Model, SoapDescriptor, SoapGprCalculator, SoapGprError, fit, structure_kernel
from potential.cli import main
from potential.model.evaluation import evaluate_structures
from potential.settings.file import as_settings
from potential.training.blocks import dealt
from potential.uncertainty.committee import deviations, drawn

C, N_BLOCKS = 4, 5
COMMITTEE = {"committee": C, "variance": False, "n_blocks": N_BLOCKS}
SPECIES = ["H", "C", "O"]
KERNELS = {
    "gap": (GAP, {"pooling": "rematch", "gamma": 1.0, "normalize": True}),
    "volume": (VOLUME, {"pooling": "sum", "normalize": True}),
}


def asked(*targets, more=COMMITTEE, **kernel):
    return settings(*targets, **kernel) | {"uncertainty": more}


@pytest.fixture(scope="module")
def train():
    return molecules(20, seed=1)


@pytest.fixture(scope="module")
def test():
    return molecules(6, seed=2)


@pytest.fixture(scope="module")
def results(train, test):
    return {
        name: fit(asked(target, **kernel), train=train, test=test, progress=False)
        for name, (target, kernel) in KERNELS.items()
    }


class Ridge:
    """Kernel ridge regressions on some of the structures, with kernels of pairs of them alone."""

    def __init__(self, result, name, test):
        self.target, self.kernel = KERNELS[name]
        self.structures = result.train
        settings = as_settings(asked(self.target, **self.kernel), data_required=False)
        blocks = dealt(settings, self.structures)
        self.block = np.array([blocks[s] for s in self.structures])
        soap, options = SoapDescriptor(**TERM, species=SPECIES), {"zeta": 2, **self.kernel}
        own = soap.compute([Atoms(s.numbers, s.positions) for s in self.structures])
        self.K = structure_kernel(own, **options)
        self.K_test = structure_kernel(soap.compute(test), own, **options)
        (record,) = result.provenance["targets"]
        v = np.mean(np.diag(self.K)) - np.mean(self.K)
        self.alpha = (self.target["noise"] / record["scale"]["H"]) ** 2 * v
        self.sizes, self.test_sizes = (self.sizes_of(own) for own in (self.structures, test))
        mean = {z: record["mean"][name] for z, name in ((1, "H"), (6, "C"), (8, "O"))}
        means = [np.mean([mean[z] for z in s.numbers.tolist()]) for s in self.structures]
        labels = np.array([s.targets[name] for s in self.structures])
        self.left = labels - self.sizes * means

    def sizes_of(self, structures):
        return np.array([len(own) if self.target is VOLUME else 1.0 for own in structures])

    def predicted(self, rows, sizes, blocks):
        """Of structures with these kernels with all of training, by those of some blocks."""
        kept = np.isin(self.block, blocks)
        N = self.sizes[kept]
        K = self.K[np.ix_(kept, kept)] * np.outer(N, N)
        w = N * np.linalg.solve(K + self.alpha * np.eye(len(K)), self.left[kept])
        return sizes * (rows[:, kept] @ w)

    def members(self, rows, sizes):
        """(2 C, n)"""
        has = drawn(N_BLOCKS, C, 0)
        return np.array([self.predicted(rows, sizes, np.flatnonzero(own)) for own in has])


@pytest.mark.parametrize("name", KERNELS)
def test_members_are_ridge_regressions_on_halves(results, test, name):
    twin = Ridge(results[name], name, test)
    expected = deviations(twin.members(twin.K_test, twin.test_sizes)[:C])
    model = results[name].model
    found = np.array(
        [
            model.evaluate(atoms, uncertainty=("targets",)).uncertainty.member_properties[name]
            for atoms in test
        ]
    )
    np.testing.assert_allclose(found.T, expected, rtol=0, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("name", KERNELS)
def test_scale_is_of_structures_that_no_weight_has_seen(results, test, name):
    """Sparse structures are those of training; regressions for the scale do not know their
    labels."""
    twin, has = Ridge(results[name], name, test), drawn(N_BLOCKS, C, 0)
    members, ratios = twin.members(twin.K, twin.sizes), []
    for b in range(N_BLOCKS):
        others = [k for k in range(N_BLOCKS) if k != b]
        error = np.abs(twin.left - twin.predicted(twin.K, twin.sizes, others))
        ratios.append((error / np.std(members[~has[:, b]], axis=0, ddof=1))[twin.block == b])
    ratio = np.concatenate(ratios)
    both = np.concatenate([ratio, 0.5 * ratio])
    scale = np.quantile(both, (0.682689 + 0.954500) / 2)
    assert results[name].model.uncertainty.targets[name] == pytest.approx(scale, rel=1e-4)


def test_value_and_spread_of_few_sparse_structures(train, test):
    """The committee does not change the fit, and has numbers of the sparse structures alone."""
    own = asked(GAP, VOLUME, pooling="mean", n_structures=8)
    own["uncertainty"] = COMMITTEE | {"variance": True}
    made = fit(own, train=train, test=test, progress=False)
    assert made.model.arrays["members.target0.weights"].shape == (C, 8)
    plain = fit({k: v for k, v in own.items() if k != "uncertainty"}, train=train, progress=False)
    found, wanted = (evaluate_structures(m.model, made.test) for m in (made, plain))
    for a, b in zip(found, wanted, strict=True):
        assert a.properties["gap"] == pytest.approx(b.properties["gap"], abs=1e-9)
    record = made.provenance["uncertainty"]["targets"]
    assert record["units"] == {"volume": "Å^3", "gap": ""}
    counts = {k: v["count"] for k, v in record["quality"]["train"]["committee"].items()}
    assert counts == {"volume": 20, "gap": 20}
    assert record["quality"]["test"]["committee"]["gap"]["count"] == 6
    of_volume = made.model.uncertainty.target_variances
    assert of_volume.keys() == {"volume"}
    said = [text for text in made.warnings if "[uncertainty]" in text]
    assert said == ["[uncertainty]: kernels between structures have the committee alone: gap"]


def test_variance_is_not_theirs(train, results):
    """Asked for beside the committee it changes nothing but a warning."""
    target, kernel = KERNELS["gap"]
    own = asked(target, **kernel) | {"uncertainty": COMMITTEE | {"variance": True}}
    made = fit(own, train=train, progress=False)
    assert made.model.uncertainty == results["gap"].model.uncertainty
    assert any("have the committee alone: gap" in text for text in made.warnings)


def test_noise_without_a_size_is_one_sentence(train):
    tiny = GAP | {"noise": 1e-10}
    with pytest.raises(SoapGprError, match=r"target gap: .*expected a larger noise") as caught:
        fit(asked(tiny, pooling="mean"), train=train, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("potential", [True, False])
def test_members_are_models_of_their_own(potential):
    model = with_kernel_target(random_model(), extensive=True, potential=potential)
    model = with_target_members(model, C)
    assert model.uncertainty.targets.keys() == {"gap"}
    atoms = random_structure([8, 1, 1] * 3, seed=7)
    found = model.evaluate(atoms, uncertainty=("targets",)).uncertainty
    weights = model.arrays["members.target0.weights"]
    zero = dict.fromkeys(["target0.mean"], np.zeros(2))
    for c, own in enumerate(found.member_properties["gap"]):
        of_member = model.with_arrays(zero | {"target0.weights": weights[c]})
        value = of_member.evaluate(atoms).properties["gap"]
        assert own == pytest.approx(value, rel=1e-9)
    sigma = found.properties_uncertainty["gap"]
    scale = model.uncertainty.targets["gap"]
    deviations_of = found.member_properties["gap"]
    assert sigma == pytest.approx(scale * np.std(deviations_of, ddof=1), rel=1e-9)
    if potential:
        atoms.calc = SoapGprCalculator(model)
        assert atoms.calc.get_property("gap_uncertainty", atoms) == pytest.approx(sigma, rel=1e-12)


def test_atoms_that_all_weigh_nothing_have_no_spread():
    """A sum over them is 0, a mean is no number, and so are the errors."""
    for extensive, wanted in ((True, 0.0), (False, np.nan)):
        model = with_target_members(with_kernel_target(random_model(), extensive=extensive), C)
        targets = [
            type(target)(**{**vars(target), "weights": (0.0, 1.0)}) for target in model.targets
        ]
        arrays = {name: own for name, own in model.arrays.items() if "target0." in name}
        model = model.with_targets(targets, arrays, uncertainty=model.uncertainty)
        heavy = [z for z in model.species if model.species.index(z) == 0]
        atoms = random_structure(heavy * 3, seed=1)
        found = model.evaluate(atoms, uncertainty=("targets",)).uncertainty
        np.testing.assert_equal(found.properties_uncertainty["gap"], wanted)


def test_files_of_before_had_none_of_kernels():
    """They are read, and say what they have."""
    kernel = with_target_members(with_kernel_target(random_model()), C)

    def without(values, arrays):
        del values["targets"]["gap"], arrays["members.target0.weights"]

    model = changed(kernel, without)
    assert model.uncertainty.measures == ("energies", "forces")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v, a: a.pop("members.target0.weights"), "members.target0.weights"),
        (lambda v, a: v["targets"].pop("gap"), "members.target0.weights"),
        (lambda v, a: v["targets"]["gap"].update(scale=[1.0, 1.0]), "scale"),
        (
            lambda v, a: a.update({"members.target0.weights": a["members.target0.weights"][:, :2]}),
            "members.target0.weights",
        ),
    ],
)
def test_wrong_files_are_one_sentence(change, message):
    model = with_target_members(with_kernel_target(random_model()), C)
    with pytest.raises(SoapGprError, match=message) as caught:
        changed(model, change)
    assert "\n" not in str(caught.value)


def test_commands_print_and_plot_it(results, test, tmp_path, capsys):
    model, page = results["gap"].model, tmp_path / "page.html"
    model.save(tmp_path / "model.sgpr")
    assert Model.load(tmp_path / "model.sgpr").uncertainty == model.uncertainty
    assert main(["info", str(tmp_path / "model.sgpr")]) == 0
    printed = capsys.readouterr().out
    assert "committee of 4; 5 blocks of structures by structure" in printed
    assert "committee  gap  left-out blocks     20" in printed
    data = write_frames(tmp_path / "test.xyz", test)
    assert main(["report", str(tmp_path / "model.sgpr"), data, "-o", str(page)]) == 0
    assert "Predicted against actual errors" in page.read_text()
    assert json.loads(model._contents[0]["uncertainty"])["targets"]["gap"]["scale"] > 0
