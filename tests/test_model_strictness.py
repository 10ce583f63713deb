# SPDX-License-Identifier: BSD-3-Clause
"""Model files: what this reader does not know is refused by name, and so is what contradicts."""

import json

import numpy as np
import pytest
from alchemical import alchemical_model
from hypothesis import given
from hypothesis import strategies as st
from model_bytes import change_arrays, change_metadata, change_term, header_of, with_header
from models import (
    body_order_model,
    derivative_model,
    general_model,
    kernel_model,
    process_model,
    product_model,
    random_model,
    random_structure,
    selected_model,
    symmetry_model,
)

from potential import Model, SoapGprError, _core
from potential.model.compression import compress
from potential.structures.structure import structure_from_atoms

pytestmark = pytest.mark.check

NEWER = "; a newer soap-gpr may read it"


def compressed_model():
    structures = [structure_from_atoms(random_structure([8, 1, 1] * 2))]
    return compress(random_model(n_sparse=4), structures, tolerance=1.0).model


def model_of_derivatives():
    model = derivative_model([random_structure([8, 1, 1])])
    return model.with_weights(np.linspace(-1, 1, model.n_weights))


MODELS = {
    "soap": random_model,
    "two soap terms": lambda: random_model(n_terms=2),
    "imported soap": general_model,
    "pair, zbl and triplet": body_order_model,
    "processes": lambda: process_model(shared=True),
    "compressed": compressed_model,
    "derivatives": model_of_derivatives,
    "product": product_model,
    "alchemical": lambda: alchemical_model(species=(1, 8), centers="alchemical"),
    "bispectrum": lambda: kernel_model(selected=True, representation="bispectrum", parity="both"),
    "recoupled": lambda: selected_model(recouple=True),
    "symmetry functions": lambda: symmetry_model(selected=True),
}


@pytest.fixture(scope="module", params=MODELS)
def any_model(request):
    return MODELS[request.param]()


@pytest.fixture(scope="module")
def model():
    return random_model()


def refused(data, message):
    with pytest.raises(SoapGprError, match=message):
        Model.from_bytes(data)


def test_new_files_have_the_new_version(any_model):
    assert any_model.metadata["format_version"] == "3"


def test_files_of_version_1_still_load(any_model):
    old = Model.from_bytes(change_metadata(any_model.to_bytes(), format_version="1"))
    atoms = random_structure([8, 1, 1] * 3)
    before, after = (
        own.evaluate(atoms.numbers, atoms.positions, atoms.cell.array, True)
        for own in (any_model, old)
    )
    np.testing.assert_array_equal(before.forces, after.forces)
    assert old.metadata["format_version"] == "1"
    assert old.with_arrays({}).metadata["format_version"] == "3"


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_unknown_keys_of_terms_are_refused(any_model, version):
    for t in range(len(any_model.terms)):
        data = change_metadata(change_term(any_model, t, nu=3), format_version=version)
        refused(data, f"term {t + 1} of the model file has the unknown key 'nu'{NEWER}")


def test_unknown_keys_of_processes_are_refused():
    model = process_model()
    processes = [own | {"nu": 3} for own in model.terms[0]["processes"]]
    refused(change_term(model, processes=processes), "process 1 of term 1 .* unknown key 'nu'")


@pytest.mark.parametrize("name", ["term0.foo", "term0.table.2", "term7.weights.0", "e1", "x\x1b[m"])
def test_unknown_arrays_are_refused(any_model, name):
    if name in any_model.arrays:
        name += "0"
    shown = name.replace("\x1b[", r"\\u001b\[")
    refused(
        change_arrays(any_model.to_bytes(), {name: [1.0]}),
        f"the model file has the unknown array '{shown}'{NEWER}",
    )


def test_unknown_metadata_are_refused(model):
    data = change_metadata(model.to_bytes(), creator="somebody")
    refused(data, f"metadata have the unknown key 'creator'{NEWER}")


def test_other_units_are_refused(model):
    data = change_metadata(model.to_bytes(), units="Ry,bohr")
    refused(data, "units 'Ry,bohr', expected 'eV,angstrom'")


@pytest.mark.parametrize(
    ("t", "changes"),
    [
        (0, {"processes": []}),  # a fitted pair term
        (0, {"name": "pairs"}),
        (1, {"delta": 1.0}),  # ZBL
        (1, {"cutoff_width": 1.0}),
        (2, {"processes": []}),  # fitted triplets
        (2, {"sparse_basis": "derivatives"}),
    ],
)
def test_keys_of_other_terms_are_refused(t, changes):
    (key,) = changes
    model = body_order_model(soap=False)
    refused(change_term(model, t, **changes), f"term {t + 1} .* unknown key '{key}'")


def test_unknown_values_are_refused(model):
    refused(change_term(model, sparse_basis="wavelets"), f"unknown sparse_basis{NEWER}")
    refused(change_term(model, representation="trispectrum"), f"unknown representation{NEWER}")
    refused(change_term(model, parity="odd"), f"unknown parity{NEWER}")
    refused(change_term(model, parity="both"), "a parity, which only bispectra have")
    triplets = process_model()
    refused(change_term(triplets, neighbor_order="age"), f"unknown neighbor_order{NEWER}")
    refused(change_term(triplets, third_factor="cubes"), f"unknown third_factor 'cubes'{NEWER}")
    processes = triplets.terms[0]["processes"]
    processes[1]["kernel"] = "bump"
    refused(change_term(triplets, processes=processes), f"unknown kernel 'bump'{NEWER}")


def test_the_representation_may_be_named(model):
    named = Model.from_bytes(change_term(model, representation="power_spectrum"))
    atoms = random_structure([8, 1, 1], seed=3)
    np.testing.assert_array_equal(named.evaluate(atoms).forces, model.evaluate(atoms).forces)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_channels": {"a": 8, "b": 8, "c": 8, "d": 8}}, "its 'n_channels' is object"),
        ({"n_channels": [8.0, 8, 8, 8]}, "channels are inconsistent"),
        ({"l_max": 3.0}, "'l_max' is out of range"),
        ({"cutoff": True}, "its 'cutoff' is boolean"),
        ({"cutoff": 0}, "'cutoff' is out of range"),
        ({"cutoff": 1e300}, "'cutoff' is out of range"),
        ({"zeta": 1e9}, "'zeta' is out of range"),
        ({"delta": -1.0}, "'delta' is out of range"),
        ({"segments": [[0.0, 3.5, 5, 1]]}, "not contiguous"),
        ({"segments": [[0.0, 3.5, 0]]}, "not contiguous"),
        ({"segments": [[0.0, -3.5, 5]]}, "not contiguous"),
        ({"segments": [[0.0, 2.5, 5], [2.5, 1.5, 5], [1.5, 3.5, 5]]}, "not contiguous"),
    ],
)
def test_values_that_contradict_are_refused(model, changes, message):
    refused(change_term(model, **changes), message)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "1" + "0" * 400])
def test_numbers_that_json_does_not_have_are_refused(model, number):
    terms = json.dumps(model.terms).replace('"cutoff": 3.5', f'"cutoff": {number}')
    refused(change_metadata(model.to_bytes(), terms=terms), "incomplete or of the wrong type")


def test_lists_of_processes_have_three_numbers():
    model = process_model()
    for key in ("order", "length_scales"):
        processes = json.loads(json.dumps(model.terms[0]["processes"]))
        processes[0][key].append(1)
        refused(change_term(model, processes=processes), "not of three numbers")


def test_keys_that_stand_twice_are_refused(model):
    terms = json.dumps(model.terms).replace('"zeta":', '"zeta": 1, "zeta":')
    refused(change_metadata(model.to_bytes(), terms=terms), "terms has the key 'zeta' twice")
    header, payload = header_of(model.to_bytes())
    again = json.dumps(json.loads(header)["e0"])
    refused(with_header(f'{header.rstrip()[:-1]},"e0":{again}}}', payload), "key 'e0' twice")


@pytest.mark.parametrize("depth", [40, 1000, 100_000])
def test_nested_headers_and_terms_are_refused(model, depth):
    header, payload = header_of(model.to_bytes())
    deep = "[" * depth + "]" * depth
    refused(with_header(f'{header.rstrip()[:-1]},"x":{deep}}}', payload), "nested too deeply")
    tables = '{"a":' * depth + "1" + "}" * depth
    terms = json.dumps(model.terms)[:-2] + f', "x": {tables}}}]'
    refused(change_metadata(model.to_bytes(), terms=terms), "list of terms is nested too deeply")


@pytest.mark.parametrize("n", [9, 70, 1000])
def test_arrays_of_many_dimensions_are_refused(model, n):
    header, payload = header_of(model.to_bytes())
    parsed = json.loads(header)
    place = [len(payload), len(payload) + 8]
    parsed["z"] = {"dtype": "F64", "shape": [1] * n, "data_offsets": place}
    refused(with_header(parsed, payload + bytes(8)), f"'z' has {n} dimensions, expected 8 at most")
    with pytest.raises(_core.CoreError, match="dimensions"):
        _core.unpack(with_header(parsed, payload + bytes(8)))


def test_unknown_keys_of_an_array_are_refused(model):
    header, payload = header_of(model.to_bytes())
    parsed = json.loads(header)
    parsed["e0"]["order"] = "F"
    refused(with_header(parsed, payload), "'e0' has more than dtype, shape and data_offsets")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("sizes", np.array([2, 2]), "does not fit the number of atoms"),
        ("sizes", np.array([-1, 4]), "does not fit the number of atoms"),
        ("sizes", np.array([2**62, 2**62]), "does not fit the number of atoms"),
        ("sizes", np.array([3.0]), "integers are expected"),
        ("numbers", np.array([1, 1, 0]), "no atomic number"),
        ("positions", np.zeros((2, 3)), "unexpected shape"),
        ("cells", np.zeros((3, 3)), "unexpected shape"),
        ("pbc", np.ones((1, 3)), "integers are expected"),
        ("coefficients", np.full((3, 3), np.nan), "not finite"),
        ("coefficients", None, "lacks the array"),
    ],
)
def test_sparse_structures_are_checked(name, array, message):
    model = model_of_derivatives()
    arrays = dict(model.arrays)
    if array is None:
        del arrays[f"term0.structures.{name}"]
    else:
        arrays[f"term0.structures.{name}"] = array
    refused(_core.pack(dict(model._contents[0]), arrays), message)


def test_derivatives_of_a_kernel_that_cannot_be_fitted_are_refused():
    data = change_term(model_of_derivatives(), offset=1.0)
    refused(data, "sparse_basis .derivatives. with another kernel than a normalised one")


def test_atoms_of_no_element_are_refused_by_number(model):
    for number in (-1, 0, 119, 10**9):
        with pytest.raises(SoapGprError, match="does not know"):
            model.evaluate([number, 1], [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])


HUGE = [1e308, -1e308, 1e300, 1e160, 5e-324, 0.0]


@given(
    array=st.integers(0, 1000),
    begin=st.integers(0, 2**20),
    number=st.sampled_from(HUGE) | st.floats(allow_nan=False, allow_infinity=False),
)
def test_huge_numbers_are_refused_or_give_finite_results(any_model, array, begin, number):
    atoms = random_structure([8, 1, 1])
    arrays = {key: own for key, own in any_model.arrays.items() if own.dtype == float and own.size}
    name = list(arrays)[array % len(arrays)]
    changed = arrays[name].copy()
    changed.flat[begin % changed.size :] = number
    try:
        found = any_model.with_arrays({name: changed}).evaluate(
            atoms.numbers, atoms.positions, atoms.cell.array, True
        )
    except SoapGprError as error:
        assert "not finite" in str(error)
    else:
        assert all(np.isfinite(x).all() for x in (found.energies, found.forces, found.virials))
