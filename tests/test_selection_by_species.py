# SPDX-License-Identifier: BSD-3-Clause
"""Feature selections of each centre species, docs/theory.md eq. (5p): their choice, and that all
evaluate them alike."""

import re

import numpy as np
import pytest
from body_order import assert_forces_are_derivatives, assert_rows_are_the_evaluation, structures
from model_bytes import change_term
from models import kernel_model, selected_by_species, symmetry_model
from training_data import emt_frames

from potential import Model, SoapGprError, fit
from potential.cli import main
from potential.model.compression import compress
from potential.selection.columns import choose_columns
from potential.settings.file import parse_settings
from potential.structures.structure import structure_from_atoms
from potential.terms.features import features
from potential.training.provenance import summary

SOAP = {"cutoff": 4.0, "n_max": 4, "l_max": 3, "zeta": 2, "n_sparse": 12}
ACSF = {"kind": "acsf", "cutoff": 4.5, "n_sparse": 12, "zeta": 2, "feature_scaling": "std"}


@pytest.mark.parametrize("recouple", [False, True])
@pytest.mark.parametrize(
    "full, how",
    [
        (lambda: kernel_model(zeta=3), {}),
        (lambda: kernel_model(zeta=3), {"few": False}),
        (lambda: kernel_model(normalize=False, offset=0.2, delta=0.1), {}),
        (lambda: kernel_model(representation="bispectrum"), {}),
        (lambda: symmetry_model(zeta=2.5), {}),
    ],
    ids=["few", "many", "not normalised", "bispectrum", "acsf"],
)
def test_rows_are_the_evaluation_and_forces_are_derivatives(full, how, recouple):
    model = selected_by_species(full(), recouple=recouple, **how)
    for name in ("triclinic", "molecule", "isolated atom"):
        assert_rows_are_the_evaluation(model, structures()[name])
        assert_forces_are_derivatives(model, structures()[name])


def test_energies_are_those_of_a_model_of_each_selection():
    """Each species' energies are those of a model in which all have its selection."""
    model, atoms = (
        selected_by_species(kernel_model(zeta=3), recouple=True),
        structures()["triclinic"],
    )
    energies = model.evaluate(atoms).energies
    for a, z in enumerate(model.species):
        arrays = {
            name: array
            for name, array in model.arrays.items()
            if not re.match(r"term0\.(feature|recoupling)", name)
        }
        for name in ("features", "feature_scale", "recoupling"):
            arrays[f"term0.{name}"] = model.arrays[f"term0.{name}.{a}"]
        arrays[f"term0.sparse_points.{1 - a}"] = np.zeros(
            (0, len(model.arrays[f"term0.features.{a}"]))
        )
        arrays[f"term0.weights.{1 - a}"] = np.zeros(0)
        alone = Model.from_arrays(model._contents[0], arrays).evaluate(atoms)
        own = atoms.numbers == z
        np.testing.assert_allclose(alone.energies[own], energies[own], rtol=1e-12)


@pytest.mark.parametrize("term", [SOAP, ACSF], ids=["soap", "acsf"])
@pytest.mark.parametrize("recouple", [False, True])
def test_each_species_has_the_features_chosen_on_its_own_environments(
    term, recouple, tmp_path, capsys
):
    frames, wanted = emt_frames(6), {"n_features": 14, "recouple": recouple, "per_species": True}
    settings = {"data": {}, "terms": [term | {"feature_selection": wanted}]}
    model = fit(settings, train=frames, progress=False).model
    full = fit({"data": {}, "terms": [term]}, train=frames, progress=False).model
    for a, z in enumerate(model.species):
        X = np.concatenate([features(full, 0, own)[own.numbers == z] for own in frames])
        found = choose_columns(X, n=14)
        np.testing.assert_array_equal(model.arrays[f"term0.features.{a}"], found.chosen)
        assert model.arrays[f"term0.sparse_points.{a}"].shape == (12, 14)
        record = model.metadata["provenance"]["terms"][0]["feature_selection"]["species"]
        assert record[("Cu", "Au")[a]]["residual"] == pytest.approx(found.residual, rel=1e-6)
    atoms = emt_frames(1, seed=7)[0]
    assert_rows_are_the_evaluation(model, atoms)
    assert_forces_are_derivatives(model, atoms)
    model.save(tmp_path / "m.sgpr")
    again = Model.load(tmp_path / "m.sgpr")
    np.testing.assert_array_equal(again.evaluate(atoms).forces, model.evaluate(atoms).forces)
    assert main(["info", f"{tmp_path}/m.sgpr"]) == 0
    ending = ", recoupled" * recouple + "\n"
    pattern = r"features by cur: Cu 14, residual \S+ %; Au 14, residual \S+ %" + ending
    assert re.search(pattern, capsys.readouterr().out)


def test_a_tolerance_holds_for_each_species():
    wanted = {"tolerance": 0.02, "per_species": True}
    settings = {"data": {}, "terms": [SOAP | {"feature_selection": wanted}]}
    model = fit(settings, train=emt_frames(6), progress=False).model
    record = model.metadata["provenance"]["terms"][0]["feature_selection"]
    assert all(own["residual"] <= 0.02 for own in record["species"].values())
    counts = [len(model.arrays[f"term0.features.{a}"]) for a in range(2)]
    assert [own["kept"] for own in record["species"].values()] == counts
    assert record["kept"] == max(counts) and "of 144 features by cur: Cu" in summary(model)


def test_a_species_without_neighbours_keeps_one_feature():
    frames = emt_frames(4)
    alone = frames[0].copy()[:1]
    alone.numbers[:], alone.pbc = 47, False
    alone.calc = None
    alone.info["energy"] = 0.1
    wanted = {"n_features": 9, "per_species": True}
    settings = {"data": {}, "terms": [SOAP | {"feature_selection": wanted}]}
    result = fit(settings, train=[*frames, alone], progress=False)
    sizes = [len(result.model.arrays[f"term0.features.{a}"]) for a in range(3)]
    assert sizes == [9, 1, 9]
    assert_rows_are_the_evaluation(result.model, emt_frames(1, seed=3)[0])


def test_points_of_a_model_with_the_same_selections(tmp_path):
    wanted = {"n_features": 12, "per_species": True, "recouple": True}
    term = SOAP | {"feature_selection": wanted}
    first = fit({"data": {}, "terms": [term]}, train=emt_frames(5), progress=False).model
    first.save(tmp_path / "first.sgpr")
    term |= {"sparse_method": "file", "sparse_file": str(tmp_path / "first.sgpr")}
    del term["n_sparse"]
    again = fit({"data": {}, "terms": [term]}, train=emt_frames(5), progress=False).model
    np.testing.assert_allclose(
        first.arrays["term0.weights.1"], again.arrays["term0.weights.1"], rtol=1e-9
    )


def test_compressed_sets_have_dimensions_of_their_own():
    full = selected_by_species(kernel_model(zeta=3), recouple=True, few=False)
    frames = [structure_from_atoms(structures()["triclinic"])]
    small = compress(full, frames, tolerance=1e-3).model
    deviation = small.evaluate(frames[0]).forces - full.evaluate(frames[0]).forces
    assert np.abs(deviation).max() <= 1e-3
    assert_forces_are_derivatives(small, structures()["molecule"])


@pytest.mark.parametrize(
    "term, message",
    [
        ({"centers": "shared"}, 'feature_selection: found per_species = true, .*"shared"'),
        (
            {"centers": "alchemical", "alchemy": {"dimensions": 2}},
            'feature_selection: found per_species = true, expected false with centers = "alch',
        ),
        ({"sparse_basis": "derivatives"}, 'false with sparse_basis = "derivatives"'),
        (
            {"kind": "product", "factors": [{}, {"feature_selection": None}]},
            r"\[\[terms.factors\]\] number 2 feature_selection: found per_species = true",
        ),
        ({"kind": "acsf", "centers": "shared"}, 'expected false with centers = "shared"'),
    ],
)
def test_where_one_selection_serves_all_another_is_refused(term, message):
    own = {"n_features": 5, "per_species": True}
    if "factors" in term:
        term = {"kind": "product", "factors": [{}, {"feature_selection": own}]}
    else:
        term = term | {"feature_selection": own}
    with pytest.raises(SoapGprError, match=message):
        parse_settings({"data": {"train": ["a"]}, "terms": [term]})


def test_damaged_selections_are_refused():
    model = selected_by_species(kernel_model())
    header, arrays = model._contents[0], model.arrays
    for changes, message in [
        ({"term0.features.1": None}, "term0.features.1"),
        ({"term0.features.1": np.array([10**6] * 17)}, "names a product that does not exist"),
        ({"term0.features.1": np.zeros(0, dtype=np.int64)}, "term0.feature_scale.1"),
        ({"term0.features": np.arange(9)}, "term0.features"),
        ({"term0.sparse_points.1": arrays["term0.sparse_points.1"][:, :9]}, "sparse_points.1"),
    ]:
        damaged = {name: own for name, own in (arrays | changes).items() if own is not None}
        with pytest.raises(SoapGprError, match=message):
            Model.from_arrays(header, damaged)
    with pytest.raises(SoapGprError, match="one sparse set for all"):
        Model.from_bytes(change_term(model, centers="shared"))
