# SPDX-License-Identifier: BSD-3-Clause
"""What a fit does once, and what it says again when it goes on from a file."""

from collections import Counter
from types import SimpleNamespace

import pytest
from training_data import emt_frames, small_settings, write_frames

from potential import _core
from potential.settings.file import as_settings
from potential.terms.gradients import DerivativeFunctions
from potential.training.choice import choose
from potential.training.data import read_fit_data
from potential.training.fitting import fit


@pytest.fixture
def settings(tmp_path):
    """Settings that ask for more sparse points than there are environments."""
    train = write_frames(tmp_path / "train.xyz", emt_frames(6, seed=1))
    return small_settings(train, n_sparse=1000)


@pytest.fixture
def counts(monkeypatch):
    """How often the core was asked to write a model, to read one, and for neighbours."""
    counts = Counter()

    def counted(name, function):
        def call(*arguments):
            counts[name] += 1
            return function(*arguments)

        return call

    core = SimpleNamespace(**vars(_core))
    core.Model = SimpleNamespace(from_bytes=counted("read", _core.Model.from_bytes))
    core.pack = counted("written", _core.pack)
    core.both_directions = counted("neighbour lists", _core.both_directions)
    for module in ("model.contents", "structures.neighbors"):
        monkeypatch.setattr(f"potential.{module}._core", core)
    return counts


@pytest.mark.parametrize("keep", (False, True))
def test_a_fit_makes_each_model_once(settings, counts, keep):
    """Tables to choose with, sparse points to make rows with, weights to find the errors with; and
    the file, once it is asked for."""
    model = fit(settings | {"solver": {"keep_factor": keep}}, progress=False).model
    assert (counts["written"], counts["read"]) == (3, 3)
    model.to_bytes()
    model.to_bytes()
    assert (counts["written"], counts["read"]) == (4, 3)


def test_fixed_terms_are_two_more_models(settings, counts):
    """To find e0 with, and to take off the labels with e0."""
    fit(settings | {"baseline": {"zbl": {}}}, progress=False).model.to_bytes()
    assert (counts["written"], counts["read"]) == (6, 5)


def test_a_structure_has_one_neighbour_list_in_each_pass(settings, counts):
    data = read_fit_data(as_settings(settings))
    checked = counts["neighbour lists"]
    counts.clear()
    fit(settings, progress=False)
    assert counts["neighbour lists"] - checked == 3 * len(data.train)  # choice, rows, errors
    counts.clear()
    fit(settings | {"baseline": {"zbl": {}}}, progress=False)
    # for e0, the shortest distances and the shares of two terms as well; rows share theirs with the
    # fixed terms
    assert counts["neighbour lists"] - checked == 6 * len(data.train)


@pytest.mark.parametrize("kind", ("checkpoint", "factor"))
def test_fits_from_files_repeat_the_warnings_of_the_choice(tmp_path, settings, kind):
    plain = fit(settings, progress=False).warnings
    assert any("only" in warning and "distinct environments" in warning for warning in plain)
    for _ in range(2):
        result = fit(settings, progress=False, **{kind: tmp_path / kind})
        assert result.warnings == plain
        assert result.model.metadata["provenance"]["warnings"] == plain


def test_steps_are_functions_of_values(settings):
    """The same values give the same results and warnings, however often they are asked."""
    settings = as_settings(settings)
    data = read_fit_data(settings)
    first, second = (choose(settings, data.ordered) for _ in range(2))
    assert first.model.to_bytes() == second.model.to_bytes()
    assert first.warnings == second.warnings != []
    assert data.warnings == read_fit_data(settings).warnings


def test_gradients_of_sparse_structures_are_made_once(tmp_path, settings, monkeypatch):
    """They take much memory and time: rows, K_MM and weights share them, also with a file."""
    made = []

    def counted(self, model, term):
        made.append(term)
        original(self, model, term)

    original = DerivativeFunctions.__init__
    monkeypatch.setattr(DerivativeFunctions, "__init__", counted)
    settings["terms"] = [settings["terms"][0] | {"sparse_basis": "derivatives", "n_sparse": 30}]
    for files in ({}, {"checkpoint": tmp_path / "checkpoint"}, {"factor": tmp_path / "factor"}):
        made.clear()
        fit(settings, progress=False, **files)
        assert made == [0]
