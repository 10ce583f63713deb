# SPDX-License-Identifier: BSD-3-Clause
"""Fits of [[targets]] with [uncertainty]: members are fits to halves of the structures, each target
is calibrated on its own labels (docs/theory.md eq. 25n, 25o)."""

import numpy as np
import pytest
from interrupting import Interrupting
from targets import AVERAGE, HALF, SITE, TOTAL, labelled, target_settings
from test_fit_ranks import run_fit
from training_data import write_frames

from potential import Model, fit
from potential.cli import main
from potential.errors import SoapGprError
from potential.settings.file import as_settings
from potential.settings.toml_text import toml_text
from potential.training.blocks import add_to, dealt
from potential.training.regression import StreamingQR, solve
from potential.training.target_problem import TargetProblem
from potential.uncertainty.committee import deviations, drawn
from potential.uncertainty.target_calibration import LEAST_OF_SPECIES

C, N_BLOCKS = 4, 5
COMMITTEE = {"committee": C, "variance": False, "n_blocks": N_BLOCKS}
BARE = ()


def settings(*targets, **uncertainty):
    own = target_settings(*(targets or (SITE, HALF)), n_sparse=10)
    own["terms"][0] |= {"n_max": 3, "l_max": 2}
    return own | {"uncertainty": COMMITTEE | uncertainty}


@pytest.fixture(scope="module")
def train():
    """Frames of which some have labels of targets alone."""
    return labelled(12, seed=1) + labelled(5, seed=4, labels=BARE)


@pytest.fixture(scope="module")
def test():
    return labelled(5, seed=2)


@pytest.fixture(scope="module")
def result(train, test):
    return fit(settings(), train=train, test=test, progress=False)


@pytest.fixture(scope="module")
def alone():
    """A model of targets without a potential."""
    return fit(settings(SITE, TOTAL), train=labelled(10, 1, labels=BARE), progress=False)


class SlowTwin:
    """Fits of the first target to blocks of structures, by the QR decomposition of all rows."""

    def __init__(self, result, settings):
        self.settings = as_settings(settings, data_required=False)
        self.structures = sorted(result.train, key=lambda s: s.positions.tobytes())
        self.problem = TargetProblem(result.model, self.settings)
        self.prior = self.problem.prior(0, self.structures)
        self.blocks = dealt(self.settings, self.structures)

    def fitted(self, g, kept):
        """W (n_weights,) of a group and of the structures of these blocks."""
        group, qr = self.problem.groups[g], StreamingQR(self.problem.groups[g].n_weights)
        for s in self.structures:
            if self.blocks[s] in kept:
                qr.add(*group.weighted(self.problem.rows(s)[g], self.prior))
        K_MM = group.kernel_matrix(self.problem.model)
        own = solve(qr.finish(), K_MM, self.settings.solver.jitter)
        return group.scale(self.prior) * own.weights

    def members(self, g):
        has = drawn(N_BLOCKS, C, 0)[:C]
        return np.array([self.fitted(g, np.flatnonzero(row)) for row in has])


@pytest.mark.parametrize("which", ["result", "alone"])
def test_members_are_fits_to_halves_of_the_structures(which, request):
    made = request.getfixturevalue(which)
    own = settings() if which == "result" else settings(SITE, TOTAL)
    twin = SlowTwin(made, own)
    for g in range(2):  # Cu and Au
        expected = deviations(twin.members(g))
        found = made.model.arrays[f"members.target0.term0.weights.{g}"]
        assert np.abs(found.sum(axis=0)).max() <= 1e-9 * np.abs(found).max()
        for s in twin.structures[:4]:
            K = twin.problem.rows(s)[g].K  # weights themselves are not well determined
            np.testing.assert_allclose(found @ K.T, expected @ K.T, atol=1e-7)


def test_scale_of_a_species_is_that_of_its_errors_on_blocks_left_out(result):
    """|Δ|/s and |Δ|/2s have the quantile of eq. (25f)."""
    twin = SlowTwin(result, settings())
    has = drawn(N_BLOCKS, C, 0)
    for g in range(2):
        ratios = []
        all_members = np.array([twin.fitted(g, np.flatnonzero(row)) for row in has])
        for b in range(N_BLOCKS):
            weights = twin.fitted(g, [k for k in range(N_BLOCKS) if k != b])
            members = all_members[~has[:, b]]
            assert len(members) == C
            for s in [s for s in twin.structures if twin.blocks[s] == b]:
                rows = twin.problem.rows(s)[g]
                error = rows.y - rows.C @ twin.prior.mean - rows.K @ weights
                ratios.append(np.abs(error) / np.std(rows.K @ members.T, axis=1, ddof=1))
        ratio = np.concatenate(ratios)
        assert len(ratio) >= LEAST_OF_SPECIES
        both = np.concatenate([ratio, 0.5 * ratio])
        expected = np.quantile(both, (0.682689 + 0.954500) / 2)
        found = result.model.uncertainty.targets["site"][g]
        assert found == pytest.approx(expected, rel=1e-4)


def test_labels_of_targets_alone_are_dealt_last(result):
    """Blocks of the potential are those of a fit without them; later ones find their old block."""
    own, structures = as_settings(settings(), data_required=False), result.train
    blocks, without = (dealt(own, some) for some in (structures, structures[:12]))
    assert [blocks[s] for s in structures[:12]] == [without[s] for s in structures[:12]]
    assert sorted(blocks.sizes) == [3, 3, 3, 4, 4]
    add_to(without, own, structures[12:])
    assert without.of == blocks.of
    assert dealt(own, structures[12:]).sizes == [1] * 5


def test_record_and_warnings(result, alone):
    record = result.provenance["uncertainty"]
    assert record["quality"].keys() == {"train", "test"} and record["blocks"] == N_BLOCKS
    of = record["targets"]
    assert of["units"] == {"site Cu": "eV", "site Au": "eV", "average": ""}
    own = of["quality"]["train"]["committee"]
    assert own["site Cu"]["count"] + own["site Au"]["count"] == 17 * 8
    assert own["average"]["count"] == 17
    assert own["site Au"]["scale"] == result.model.uncertainty.targets["site"][1]
    assert of["quality"]["test"]["committee"]["average"]["count"] == 5
    assert not any("uncertainty" in text for text in result.warnings)
    record = alone.provenance["uncertainty"]
    assert record.keys() == {"blocks", "kind", "targets"}
    assert alone.model.uncertainty.measures == ("targets",)
    both = fit(settings(SITE, variance=True), train=labelled(6, 1), progress=False)
    assert not any("[[targets]]" in text for text in both.warnings)
    measures = ("energies", "forces", "variance", "targets", "targets_variance")
    assert both.model.uncertainty.measures == measures


def test_few_labels_of_a_species_take_the_scale_of_all(train):
    frames = [atoms.copy() for atoms in train]
    for k, atoms in enumerate(frames):
        atoms.calc = train[k].calc
        if k > 5:
            atoms.arrays["site_energy"][atoms.numbers == 79] = np.nan
    made = fit(settings(), train=frames, progress=False)
    assert any(f"fewer than {LEAST_OF_SPECIES} labels of site Au" in t for t in made.warnings)
    record = made.provenance["uncertainty"]["targets"]["quality"]["train"]["committee"]
    scales = made.model.uncertainty.targets["site"]
    assert record["site Au"]["scale"] == scales[1] != scales[0]


def test_too_few_labels_have_no_scale():
    frames = labelled(10, seed=1)
    for k, atoms in enumerate(frames):
        atoms.arrays["site_energy"][2 if k < 2 else 0 :] = np.nan
        atoms.arrays["site_energy"][0] = np.nan
    made = fit(settings(SITE | {"species": ["Cu"]}, AVERAGE), train=frames, progress=False)
    assert made.model.uncertainty.targets["site"] == (1.0, 1.0)
    assert any("target site: too few labels for a scale" in text for text in made.warnings)


def values(model, frames):
    """Spreads of both targets on some frames."""
    found = [model.evaluate(atoms, uncertainty=("targets",)).uncertainty for atoms in frames]
    own = [one.properties_uncertainty for one in found]
    return np.concatenate([np.ravel(value) for one in own for value in one.values()])


def assert_same_measures(found, expected, frames):
    np.testing.assert_allclose(values(found, frames), values(expected, frames), rtol=1e-5)


def test_factor_gives_the_same_and_takes_more(result, train, test, tmp_path):
    factor = tmp_path / "factor"
    first = fit(settings(), train=train, test=test, progress=False, factor=factor)
    assert_same_measures(first.model, result.model, test)
    again = fit(settings(), train=train, test=test, progress=False, factor=factor)
    assert_same_measures(again.model, result.model, test)
    more = train + labelled(3, seed=8, labels=BARE)
    added = fit(settings(), train=more, progress=False, factor=factor)
    record = added.provenance["uncertainty"]["targets"]["quality"]["train"]["committee"]
    assert record["average"]["count"] == 20
    assert np.abs(values(added.model, test) - values(result.model, test)).max() > 1e-6
    without = {key: own for key, own in settings().items() if key != "uncertainty"}
    assert fit(without, train=more, progress=False, factor=factor).model.uncertainty is None


def test_factor_of_targets_alone(alone, tmp_path):
    frames = labelled(10, 1, labels=BARE)
    made = [
        fit(settings(SITE, TOTAL), train=frames, progress=False, factor=tmp_path / "factor")
        for _ in range(2)
    ]
    for own in made:
        assert_same_measures(own.model, alone.model, frames[:3])


def test_interrupted_fit_goes_on_to_the_same(result, train, test, monkeypatch, tmp_path):
    file = tmp_path / "state"
    monkeypatch.setattr(Interrupting, "left", 20)
    monkeypatch.setattr("potential.training.targets.StreamingQR", Interrupting)
    with pytest.raises(KeyboardInterrupt):
        fit(settings(), train=train, test=test, progress=False, checkpoint=file)
    monkeypatch.undo()
    again = fit(settings(), train=train, test=test, progress=False, checkpoint=file)
    assert again.model.arrays.keys() == result.model.arrays.keys()
    for name, array in result.model.arrays.items():
        np.testing.assert_array_equal(array, again.model.arrays[name], err_msg=name)


def test_two_ranks_make_the_same(train, test, tmp_path):
    write_frames(tmp_path / "train.xyz", train)
    write_frames(tmp_path / "test.xyz", test)
    kernel = AVERAGE | {"name": "level", "kernel": {"pooling": "mean"}}
    own = settings(SITE, kernel, HALF, variance=True)
    own |= {"data": {"train": ["train.xyz"], "test": ["test.xyz"]}}
    (tmp_path / "fit.toml").write_text(toml_text(own))
    done = run_fit(tmp_path, "-o", "two.sgpr", ranks=2)
    assert done.returncode == 0, done.stderr
    assert "committee  site Au  left-out blocks" in done.stdout
    assert "committee  level    left-out blocks" in done.stdout
    assert "variance   site Au  left-out blocks" in done.stdout
    expected = fit(tmp_path / "fit.toml", progress=False)  # digits of files, which deal, are fewer
    two = Model.load(tmp_path / "two.sgpr")
    assert_same_measures(two, expected.model, test)
    asked = ("targets_variance",)
    of_two, of_one = (m.evaluate(test[0], uncertainty=asked) for m in (two, expected.model))
    for name, values in of_one.uncertainty.of_targets.items():  # scales and edges are in them
        np.testing.assert_allclose(of_two.uncertainty.of_targets[name], values, rtol=1e-5)


def test_commands_print_and_plot_it(alone, tmp_path, capsys):
    model, frames = (
        str(tmp_path / "model.sgpr"),
        write_frames(tmp_path / "test.xyz", labelled(4, 2, labels=BARE)),
    )
    alone.model.save(model)
    assert main(["info", model]) == 0
    printed = capsys.readouterr().out
    assert "Uncertainty    committee of 4; 5 blocks of structures by structure" in printed
    assert "committee  total    left-out blocks     10" in printed
    page = tmp_path / "report.html"
    assert main(["report", model, frames, "-o", str(page)]) == 0
    text = page.read_text()
    assert "Predicted against actual errors" in text and "Committee: site Cu, left-out" in text


def test_what_has_no_measure_is_said(train):
    frames = labelled(6, 1, labels=BARE)
    kernel = AVERAGE | {"kernel": {"pooling": "mean"}}
    variance = {"committee": 0, "variance": True}
    with pytest.raises(SoapGprError, match="found targets of kernels between structures and no en"):
        fit(settings(kernel, **variance), train=frames, progress=False)
    for more, has, said in (
        ({"variance": True}, {"site", "average"}, "the committee alone"),
        (variance, set(), "none"),
    ):
        made = fit(settings(SITE, kernel, **more), train=train, progress=False)
        assert made.model.uncertainty.targets.keys() == has
        assert made.model.uncertainty.target_variances.keys() == {"site"}
        assert any(f"between structures have {said}: average" in t for t in made.warnings)
