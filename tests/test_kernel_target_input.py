# SPDX-License-Identifier: BSD-3-Clause
"""Settings and labels of no use for targets of kernels between structures: one sentence each."""

import numpy as np
import pytest
from kernel_targets import GAP, molecules, settings

from potential import SoapGprError, fit


@pytest.fixture(scope="module")
def train():
    return molecules(24, seed=1)


@pytest.mark.parametrize(
    ("target", "kernel", "term", "words"),
    [
        (GAP, {"pooling": "max"}, {}, 'pooling: found "max", expected one of "mean", "sum", '),
        (GAP, {"gamma": 0.1}, {}, 'gamma: found 0.1, expected nothing without pooling = "rematch"'),
        (GAP, {"pooling": "rematch", "gamma": 0}, {}, "gamma: found 0, expected a number"),
        (GAP, {"zeta": 0.5}, {}, "zeta: found 0.5, expected a number"),
        (GAP, {"n_structures": 0}, {}, "n_structures: found 0, expected an integer"),
        (GAP, {"poling": "sum"}, {}, "unknown key .*poling.*pooling"),
        (GAP, {"pooling": "sum"}, {}, "extensive: found false with kernel"),
        (GAP | {"per_atom": True}, {}, {}, "kernel: found one, expected none with per_atom"),
        (GAP | {"scale": {"H": 1.0}}, {}, {}, "scale: found a table, expected one number with"),
        (GAP | {"terms": [1, 2]}, {}, {}, "terms: found several, expected one with kernel"),
        (
            GAP,
            {"pooling": "density"},
            {"representation": "bispectrum", "l_max": 1},
            "kernel: term 1: expected all features of a power or radial spectrum",
        ),
        (GAP, {}, {"offset": 0.1}, "kernel: term 1 has offset = 0.1, expected 0"),
        (
            GAP,
            {},
            {"centers": "alchemical", "alchemy": {"dimensions": 2}},
            'kernel: term 1 has centers = "alchemical", expected others',
        ),
    ],
)
def test_bad_settings_are_one_sentence(train, target, kernel, term, words):
    own = settings(target, **kernel)
    own["terms"][0] |= term
    if target.get("per_atom"):
        del own["targets"][0]["extensive"]
    with pytest.raises(SoapGprError, match=words) as caught:
        fit(own, train=train, progress=False)
    assert "\n" not in str(caught.value)


def test_products_have_no_features_for_kernels_of_structures(train):
    own = settings(GAP)
    own["terms"].insert(0, {"kind": "product", "factors": [{"cutoff": 3.0}, {"cutoff": 2.0}]})
    assert fit(own, train=train, progress=False).model.targets[0].kernel.term == 1
    for changes in ({"terms": [1]}, {}):
        own["targets"][0] |= changes
        own["terms"] = own["terms"][:1]
        with pytest.raises(SoapGprError, match='kernel: expected a term of kind "soap" or "acsf"'):
            fit(own, train=train, progress=False)
        own["targets"][0].pop("terms", None)


def constant(atoms):
    atoms.info["homo_lumo"] = 2.0


def infinite(atoms):
    atoms.info["homo_lumo"] = np.inf


def a_column(atoms):
    atoms.arrays["homo_lumo"] = np.arange(float(len(atoms)))
    del atoms.info["homo_lumo"]


def all_nan(atoms):
    atoms.info["homo_lumo"] = np.nan


def lonely(atoms):
    atoms.positions *= 10.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (constant, "target gap: all 24 labels are 2, or differ by composition alone"),
        (infinite, r"found a number beyond 1e\+08, or infinite"),
        (a_column, "found a column of atoms, expected a value of the frame"),
        (all_nan, "found only nan for target gap, expected labels"),
        (lonely, "target gap: found no environment with any neighbour within cutoff"),
    ],
)
def test_bad_labels_are_one_sentence(train, change, words):
    frames = [atoms.copy() for atoms in train]
    for atoms in frames:
        change(atoms)
    own = settings(GAP)
    own["terms"][0]["central_weight"] = 0.0
    with pytest.raises(SoapGprError, match=words) as caught:
        fit(own, train=frames, progress=False)
    assert "\n" not in str(caught.value)


def test_structures_without_atoms_and_of_unknown_species_are_one_sentence(train):
    model = fit(settings(GAP), train=train, progress=False).model
    with pytest.raises(SoapGprError, match=r"^found a structure without atoms$"):
        model.evaluate(train[0][:0])
    with pytest.raises(SoapGprError, match="the model does not know N"):
        model.evaluate(molecules(1)[0].__class__("N2"))
