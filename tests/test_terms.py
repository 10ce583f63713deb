# SPDX-License-Identifier: BSD-3-Clause
"""The outline that every kind of term follows, and what a fit asks of the terms of its model."""

import gc
import weakref

import ase.io
import numpy as np
import pytest
from body_order import weights_of
from models import (
    body_order_model,
    derivative_model,
    process_model,
    product_model,
    random_model,
    random_structure,
    symmetry_model,
    triplet_model,
)
from training_data import emt_frames, write_frames

from potential import Model, SoapGprError, _core
from potential.model import Environments
from potential.settings import (
    FactorSettings,
    PairTermSettings,
    ProductTermSettings,
    SoapTermSettings,
    SymmetryTermSettings,
    TripletTermSettings,
)
from potential.settings.file import as_settings
from potential.structures.neighbors import neighbor_list
from potential.structures.structure import structure_from_atoms
from potential.terms import kind_of, kind_of_settings, terms_of
from potential.terms.choice import choose_sparse_points
from potential.terms.kinds import KINDS
from potential.training.accumulation import weighted_rows
from potential.training.fitting import fit

ALL_KINDS = {
    "terms": [
        {"cutoff": 4.0, "n_max": 3, "l_max": 2, "n_sparse": 10},
        {"cutoff": 3.0, "n_max": 3, "l_max": 2, "n_sparse": 24, "sparse_basis": "derivatives"},
        {"kind": "product", "n_sparse": 6, "factors": 2 * [{"n_max": 3, "l_max": 2}]},
        {"kind": "acsf", "cutoff": 4.0, "n_sparse": 10},
        {"kind": "pair", "cutoff": 4.0, "n_sparse": 5},
        {"kind": "triplet", "cutoff": 3.5, "n_sparse": 5},
    ],
    "baseline": {"zbl": {}},
}


def models():
    known = triplet_model(known=lambda p: lambda x, y, z: (1 + p) * np.exp(-x - y - z))
    derivatives = derivative_model([random_structure([8, 1, 1])])
    product = product_model()
    return [
        random_model(),
        derivatives,
        symmetry_model(),
        product,
        body_order_model(),
        known,
        process_model(),
    ]


def all_kinds(tmp_path):
    train = write_frames(tmp_path / "train.xyz", emt_frames(4))
    return {"data": {"train": [train]}, **ALL_KINDS}


def test_every_entry_is_of_one_kind_and_every_kind_has_one():
    seen = set()
    for model in models():
        for entry in model.terms:
            kinds = [kind for kind in KINDS if kind.describes(entry)]
            assert kinds == [kind_of(entry)]
            seen |= set(kinds)
    assert seen == set(KINDS)


@pytest.mark.parametrize(
    "settings",
    [
        SoapTermSettings(),
        SoapTermSettings(sparse_basis="derivatives"),
        ProductTermSettings((FactorSettings(), FactorSettings())),
        SymmetryTermSettings(),
        PairTermSettings(),
        TripletTermSettings(),
    ],
    ids=lambda settings: f"{settings.kind} {getattr(settings, 'sparse_basis', '')}",
)
def test_settings_are_of_one_kind(settings):
    assert [kind for kind in KINDS if kind.takes(settings)] == [kind_of_settings(settings)]


def test_entries_of_other_kinds_are_refused():
    with pytest.raises(SoapGprError, match="found a term of the kind 'tensor'"):
        kind_of({"kind": "tensor", "cutoff": 3.0})


@pytest.mark.parametrize("model", models(), ids=lambda model: repr(model))
def test_terms_of_a_loaded_model_count_its_weights(model):
    terms = terms_of(Model.from_bytes(model.to_bytes()))
    assert sum(term.n_weights for term in terms) == model.n_weights
    assert model.kernel_matrix().shape == 2 * (model.n_weights,)
    for term in terms:
        assert term.title and term.description.startswith(term.entry["kind"])
        assert bool(term.given_functions) == (term.n_weights == 0)


def test_with_weights_gives_the_same_model_for_its_own_weights():
    for model in models():
        if not model.n_weights or "term0.structures.sizes" in model.arrays:
            continue
        again = model.with_weights(weights_of(model))
        assert type(again) is type(model)
        for name, array in model.arrays.items():
            np.testing.assert_allclose(again.arrays[name], array, atol=1e-12, err_msg=name)


def test_a_structure_takes_one_neighbour_list_for_the_rows_of_all_terms(tmp_path, monkeypatch):
    settings = as_settings(all_kinds(tmp_path))
    structures = [structure_from_atoms(a) for a in ase.io.read(tmp_path / "train.xyz", ":")]
    model, _ = choose_sparse_points(settings, structures, [29, 79], np.zeros(2))
    weighted_rows(model, structures[0], settings)  # makes what stays
    made, calls = neighbor_list, []

    def counted(*arguments):
        calls.append(arguments)
        return made(*arguments)

    monkeypatch.setattr("potential.model.model.neighbor_list", counted)
    for structure in structures:
        weighted_rows(model, structure, settings)
    assert len(calls) == len(structures)


def test_a_fit_packs_a_model_for_the_choice_the_rows_the_weights_and_the_file(
    tmp_path, monkeypatch
):
    packed, parsed = [], []
    pack, start = _core.pack, Model.__init__
    monkeypatch.setattr(_core, "pack", lambda *parts: packed.append(1) or pack(*parts))
    monkeypatch.setattr(Model, "__init__", lambda *a: parsed.append(1) or start(*a))
    settings = all_kinds(tmp_path) | {"baseline": {}}
    fit(settings, progress=False).model.save(tmp_path / "model.sgpr")
    assert (len(packed), len(parsed)) == (4, 3)


def test_environments_know_their_atoms():
    atoms = random_structure([8, 1, 1])
    environments = random_model().environments(atoms)
    assert isinstance(environments, Environments) and len(environments) == 3
    np.testing.assert_array_equal(environments.species, [(1, 8).index(z) for z in atoms.numbers])


def test_a_model_with_terms_is_freed_at_once():
    """Its arrays may be gigabytes, which a circle would keep until Python looks for circles."""
    model = random_model()
    gone = weakref.ref(model)
    assert model.kernel_matrix().shape == (model.n_weights, model.n_weights)
    gc.disable()
    try:
        del model
        assert gone() is None
    finally:
        gc.enable()
