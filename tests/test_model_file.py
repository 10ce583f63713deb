# SPDX-License-Identifier: BSD-3-Clause
"""The model file: written and read without loss, and every kind of damage refused."""

import functools
import json
import pickle

import numpy as np
import pytest
from alchemical import alchemical_model
from hypothesis import event, example, given
from hypothesis import strategies as st
from kernel_targets import with_kernel_target
from model_bytes import change_metadata, change_term, header_of, with_header
from models import (
    body_order_model,
    general_model,
    kernel_model,
    process_model,
    product_model,
    random_model,
    random_structure,
    selected_model,
    structure_rows,
    symmetry_model,
)
from mutations import edits, replaced, spliced, splices
from safetensors.numpy import load

from potential import Model, SoapGprError, _core
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def model():
    return random_model(n_terms=2)


def test_saved_model_evaluates_the_same(model, tmp_path):
    model.save(tmp_path / "m.sgpr")
    loaded = Model.load(tmp_path / "m.sgpr")
    positions = [[0.0, 0.0, 0.0], [0.9, 0.1, 0.3]]
    before, after = model.evaluate([8, 1], positions), loaded.evaluate([8, 1], positions)
    np.testing.assert_array_equal(before.forces, after.forces)
    assert [path.name for path in tmp_path.iterdir()] == ["m.sgpr"]


def test_any_safetensors_reader_opens_the_file(model):
    arrays = load(model.to_bytes())
    assert set(arrays) == set(model.arrays)
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_metadata_holds_format_units_settings_and_provenance(model):
    assert model.metadata["format"] == "soap-gpr"
    assert model.metadata["units"] == "eV,angstrom"
    assert model.metadata["settings"] == {}
    assert [term["kind"] for term in model.terms] == ["soap", "soap"]


def test_pickled_model_is_the_same(model):
    assert pickle.loads(pickle.dumps(model)).to_bytes() == model.to_bytes()


def test_with_weights_replaces_weights_only(model):
    weights = np.arange(model.n_weights, dtype=float)
    changed = model.with_weights(weights)
    np.testing.assert_array_equal(changed.arrays["term1.weights.0"], weights[10:15])
    np.testing.assert_array_equal(changed.arrays["e0"], model.arrays["e0"])


def test_other_records_are_in_the_file_and_change_no_number(model, tmp_path):
    changed = model.with_record(settings={"file": "fit.toml"}, provenance={"program": "other"})
    changed.save(tmp_path / "m.sgpr")
    loaded = Model.load(tmp_path / "m.sgpr")
    assert loaded.metadata["settings"] == changed.metadata["settings"] == {"file": "fit.toml"}
    assert loaded.metadata["provenance"] == {"program": "other"} != model.metadata["provenance"]
    assert loaded.with_record(provenance={}).metadata["settings"] == {"file": "fit.toml"}
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)


def test_a_structure_is_given_whole_or_as_arrays(model):
    atoms = random_structure([1, 8, 8])
    found = model.evaluate(atoms)
    expected = model.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    np.testing.assert_array_equal(found.forces, expected.forces)
    without = model.evaluate(structure_from_atoms(atoms), forces=False)
    assert without.energy == pytest.approx(expected.energy) and without.forces is None
    for wrong in [(atoms.numbers,), (atoms, None, atoms.cell), (atoms, None, None, True)]:
        with pytest.raises(TypeError, match="a structure alone, or numbers and positions"):
            model.evaluate(*wrong)


def test_a_model_says_what_it_is(model):
    assert repr(model) == "<TrainingModel of H, O: terms soap 3.5 Å, soap 2.625 Å; 20 weights>"
    assert repr(Model.from_bytes(model.to_bytes())).startswith("<Model of H, O: terms soap 3.5 Å")


@given(size=st.integers(0, 2**20) | st.integers(0, 600))
@example(size=0)
@example(size=8)
@example(size=9)
def test_every_truncation_is_refused(model, size):
    data = model.to_bytes()
    with pytest.raises(SoapGprError):
        Model.from_bytes(data[: size % len(data)])


def test_truncation_and_bytes_after_the_end_are_named(model):
    data = model.to_bytes()
    with pytest.raises(SoapGprError, match="cut short: found"):
        Model.from_bytes(data[:-1])
    with pytest.raises(SoapGprError, match="after its end"):
        Model.from_bytes(data + b"\0")


@given(splice=splices())
def test_every_damaged_file_is_refused(model, splice):
    data = model.to_bytes()
    damaged = spliced(data, *splice)
    if damaged != data:
        with pytest.raises(SoapGprError):
            Model.from_bytes(damaged)


@pytest.mark.parametrize("content", [b"", b"hello", b"<GAP_params/>" * 100, bytes(1000)])
def test_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "foreign.sgpr"
    path.write_bytes(content)
    with pytest.raises(SoapGprError, match=r"foreign\.sgpr: not a soap-gpr model file"):
        Model.load(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(SoapGprError, match=r"nowhere\.sgpr: cannot read the model file: no such"):
        Model.load(tmp_path / "nowhere.sgpr")


@pytest.mark.parametrize("key", ["shape", "data_offsets"])
@pytest.mark.parametrize("number", [-1, 1e300, 0.5, "3"])
def test_shapes_and_places_are_whole_numbers(model, key, number):
    header, payload = header_of(model.to_bytes())
    parsed = json.loads(header)
    parsed["e0"][key][0] = number
    with pytest.raises(SoapGprError, match="'e0' has a shape or place that is not a whole number"):
        Model.from_bytes(with_header(parsed, payload))


MODELS = {
    "soap": functools.cache(lambda: random_model(n_max=2, l_max=2, n_sparse=31, n_terms=2)),
    "zeta 1": functools.cache(lambda: random_model(n_max=2, l_max=2, n_sparse=31, zeta=1)),
    "imported": functools.cache(general_model),
    "pair and triplet": functools.cache(lambda: body_order_model(soap=False)),
    "processes": functools.cache(lambda: process_model(shared=True)),
}
BOTH_PARITIES = {"representation": "bispectrum", "parity": "both"}
REPRESENTATIONS = {
    "alchemical": functools.cache(lambda: alchemical_model(centers="alchemical")),
    "bispectrum": functools.cache(lambda: kernel_model(selected=True, **BOTH_PARITIES)),
    "radial": functools.cache(lambda: kernel_model(representation="radial_spectrum")),
    "recoupled": functools.cache(lambda: selected_model(recouple=True)),
    "symmetry functions": functools.cache(lambda: symmetry_model(selected=True)),
    "product": functools.cache(lambda: product_model(n_sparse=4)),
    "kernel of structures": functools.cache(lambda: with_kernel_target(random_model())),
}
MODELS |= REPRESENTATIONS
FITTED = {"soap", "zeta 1", "pair and triplet", *REPRESENTATIONS}


def parsed_header(data):
    """The header with its list of terms parsed as well, and the bytes of the arrays."""
    text, payload = header_of(data)
    header = json.loads(text)
    header["terms"] = json.loads(header["__metadata__"].pop("terms"))
    return header, payload


def header_edits(name):
    """Edits of the terms, or of where the arrays are and what they are."""

    def strategy():
        header, _ = parsed_header(MODELS[name]().to_bytes())
        arrays = {key: own for key, own in header.items() if key not in ("__metadata__", "terms")}
        parts = edits(header["terms"]), edits(arrays)
        terms = parts[0].map(lambda edit: (("terms", *edit[0]), edit[1]))
        return terms | parts[1].filter(lambda edit: edit[0])

    return st.deferred(strategy)


def check_odd_value(name, edit):
    """A file with an edit and a right checksum is refused, or all that a model does works."""
    header, payload = parsed_header(MODELS[name]().to_bytes())
    header = replaced(header, *edit)
    header["__metadata__"]["terms"] = json.dumps(header.pop("terms"))
    atoms = random_structure([8, 1, 1] * 3)
    try:
        loaded = TrainingModel.from_bytes(with_header(header, payload))
        loaded.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, True)
        if name in FITTED:
            structure_rows(loaded, atoms)
        loaded.with_weights(np.ones(loaded.n_weights))
        event("worked")
    except SoapGprError:
        event("refused")


def segments(size):
    """Of a cutoff of 3.5 Å; products of their sizes overflowed once."""
    return ("terms", 0, "segments"), [[0.0, 3.5, size]]


@given(edit=header_edits("soap"))
@example(edit=(("terms", 0, "l_max"), 2**32 + 3))
@example(edit=(("terms", 0, "l_max"), 1e300))
@example(edit=(("terms", 0, "n_channels", 0), 92682))
@example(edit=(("terms", 0, "n_channels", 0), 46341))
@example(edit=segments(999999))
@example(edit=segments(2**64 - 1))
@example(edit=(("e0", "shape", 0), 2**64 - 1))
@example(edit=(("e0", "data_offsets", 1), 2**64 - 1))
def test_files_with_odd_values_are_refused_or_work(edit):
    check_odd_value("soap", edit)


@given(edit=header_edits("zeta 1"))
def test_files_of_linear_kernels_with_odd_values_are_refused_or_work(edit):
    check_odd_value("zeta 1", edit)


@given(edit=header_edits("imported"))
@example(edit=(("terms", 0, "zeta"), 0.5))
@example(edit=(("terms", 1, "offset"), -1.0))
def test_imported_files_with_odd_values_are_refused_or_work(edit):
    check_odd_value("imported", edit)


@given(edit=header_edits("pair and triplet"))
def test_body_order_files_with_odd_values_are_refused_or_work(edit):
    check_odd_value("pair and triplet", edit)


@given(edit=header_edits("processes"))
def test_files_of_processes_with_odd_values_are_refused_or_work(edit):
    check_odd_value("processes", edit)


@pytest.mark.parametrize("name", REPRESENTATIONS)
@given(data=st.data())
def test_files_of_representations_with_odd_values_are_refused_or_work(name, data):
    check_odd_value(name, data.draw(header_edits(name)))


def test_unchanged_terms_pass(model):
    Model.from_bytes(change_term(model))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "dipole"}, "unknown kind 'dipole'"),
        ({"kind": "pair"}, "incomplete or of the wrong type"),
        ({"zeta": 0}, "'zeta' is out of range"),
        ({"zeta": "four"}, "incomplete or of the wrong type"),
        ({"cutoff": -1.0}, "'cutoff' is out of range"),
        ({"cutoff": 4.0}, "do not end at the cutoff"),
        ({"l_max": 2}, "channels are inconsistent"),
        ({"n_channels": [8, 8, 8, 7]}, "channels are inconsistent"),
        ({"segments": [[0.0, 1.0, 5], [1.5, 3.5, 5]]}, "not contiguous"),
        ({"zeta": 0.5}, "'zeta' is out of range"),
        ({"offset": -1.0}, "'offset' is out of range"),
        ({"normalize": 1}, "incomplete or of the wrong type"),
        ({"n_channels": [92682, 8, 8, 8]}, "channels are inconsistent"),
        ({"n_channels": [30000] * 4}, "channels are inconsistent"),
        ({"segments": [[0.0, 1.0, 999999], [1.0, 3.5, 999999]]}, "not contiguous, or too many"),
        ({"l_max": 1e300}, "'l_max' is out of range"),
        ({"l_max": 2**32 + 3}, "'l_max' is out of range"),
    ],
)
def test_inconsistent_terms_are_refused(model, changes, message):
    with pytest.raises(SoapGprError, match=message):
        Model.from_bytes(change_term(model, **changes))


def test_settings_and_provenance_may_be_absent(model):
    bare = Model.from_bytes(change_metadata(model.to_bytes(), settings=None, provenance=None))
    assert bare.metadata["settings"] == {} and bare.metadata["provenance"] == {}


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_unreadable_settings_are_refused(model, text):
    with pytest.raises(SoapGprError, match="settings are not readable"):
        _ = Model.from_bytes(change_metadata(model.to_bytes(), settings=text)).metadata


def test_later_format_version_is_refused_by_number(model):
    message = (
        "format version '4', this soap-gpr reads versions 1 to 3; a newer soap-gpr may read it"
    )
    with pytest.raises(SoapGprError, match=message):
        Model.from_bytes(change_metadata(model.to_bytes(), format_version="4"))
    with pytest.raises(SoapGprError, match="has no format version"):
        Model.from_bytes(change_metadata(model.to_bytes(), format_version=None))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("term0.weights.0", np.array([1.0, np.nan, 1.0, 1.0, 1.0]), "not finite"),
        ("term0.weights.0", np.zeros(4), "unexpected shape"),
        ("term0.table.0", np.zeros((3, 3, 3)), "unexpected shape"),
        ("e0", np.zeros(3), "unexpected shape"),
        ("species", np.array([8, 1]), "not ascending"),
        ("species", np.array([8, 119]), "not ascending atomic numbers"),
        ("species", np.array([1.0, 8.0]), "integers are expected"),
        ("term1.sparse_points.1", None, "lacks the array"),
    ],
)
def test_wrong_arrays_are_refused(model, name, array, message):
    arrays = dict(model.arrays)
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    metadata = dict(model._contents[0])
    with pytest.raises(SoapGprError, match=message):
        Model.from_bytes(_core.pack(metadata, arrays))
