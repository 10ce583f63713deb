# SPDX-License-Identifier: BSD-3-Clause
"""FitSettings made in Python are checked like fit.toml; dry runs; structures that are held out."""

import dataclasses
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_data import emt_frames, small_settings, write_frames

from potential.errors import SoapGprError
from potential.settings import (
    BaselineSettings,
    DataSettings,
    FitSettings,
    LabelKeys,
    NoiseSettings,
    PairTermSettings,
    Sigmas,
    SoapTermSettings,
    SolverSettings,
    TripletTermSettings,
    ZblSettings,
)
from potential.settings.file import as_settings
from potential.structures.digests import fingerprint
from potential.training.estimate import estimate
from potential.training.fitting import fit
from potential.validation.learning_curve import learning_curve
from potential.validation.row_store import hold_out, read_data

SOAP = SoapTermSettings(cutoff=4.0, n_max=4, l_max=3, zeta=2, n_sparse=20)
FULL = FitSettings(
    data=DataSettings(("a.xyz@::2", "/b/*.xyz"), ("c.xyz",), LabelKeys("e", "f", None, "s")),
    terms=(
        SoapTermSettings(
            atom_sigma={"O": 0.4}, n_sparse={"O": 300}, n_sparse_config_type={"a b": 20}, seed=3
        ),
        SoapTermSettings(sparse_method="file", sparse_file="points.xyz"),
        PairTermSettings(cutoff=4.5),
        TripletTermSettings(n_sparse=7),
    ),
    baseline=BaselineSettings({"O": -3.0}, ZblSettings(0.5, None), "pairs.txt"),
    noise=NoiseSettings(
        Sigmas(0.1, 0.2, math.inf), {"odd": Sigmas(0.3, math.inf, 0.1), "a b": Sigmas()}
    ),
    solver=SolverSettings(1e-9),
    file="made.toml",
)


DATA = DataSettings(("a.xyz",))


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp("checked") / "train.xyz", emt_frames(12, seed=1))


def test_settings_that_are_right_are_taken_as_they_are():
    assert as_settings(FULL) is FULL
    assert as_settings({"data": {"train": "a.xyz"}}) == FitSettings(DATA)


def test_types_of_python_and_numpy_are_those_of_toml():
    settings = FitSettings(
        data=DataSettings([Path("a.xyz")]),
        terms=[SoapTermSettings(cutoff=np.float32(4.0), n_sparse=np.int64(30), zeta=np.uint8(2))],
        baseline=BaselineSettings({np.str_("O"): np.float64(1.0)}),
    )
    assert settings.data.train == ("a.xyz",) and isinstance(settings.terms, tuple)
    assert type(settings.terms[0].n_sparse) is int and type(settings.terms[0].cutoff) is float
    assert type(settings.terms[0].zeta) is int
    assert json.loads(json.dumps(settings.to_dict()))["terms"][0]["n_sparse"] == 30


def soap(**values):
    return dataclasses.replace(SOAP, **values)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: soap(cutoff=-1), "[[terms]] cutoff: found -1, expected a number > 0 and <= 100"),
        (lambda: soap(cutoff=math.nan), "[[terms]] cutoff: found nan"),
        (lambda: soap(cutoff=None), "[[terms]] cutoff: found None"),
        (lambda: soap(cutoff_width=9.0), "[[terms]] cutoff_width"),
        (lambda: soap(n_sparse=10**20), "n_sparse: found 1000000000"),
        (lambda: soap(n_sparse={"Xy": 3}), "found the key 'Xy', expected a chemical symbol"),
        (lambda: soap(sparse_method="farthest"), 'sparse_method: found "farthest"'),
        (lambda: soap(sparse_method="file", n_sparse=1000), "sparse_file: missing"),
        (
            lambda: soap(sparse_method="file", sparse_file="a"),
            "n_sparse: found 20, expected nothing",
        ),
        (lambda: soap(sparse_file="a"), "expected nothing without sparse_method"),
        (lambda: soap(zeta=0.5), "zeta: found 0.5"),
        (lambda: soap(radial_scaling={"expo": 2}), "unknown key 'expo'"),
        (lambda: soap(n_sparse_config_type={"even": 30}), "at most n_sparse = 20 together"),
        (lambda: soap(kind="pair"), 'kind: found "pair", expected one of "soap"'),
        (lambda: PairTermSettings(n_sparse=0), "[[terms]] n_sparse: found 0"),
        (lambda: TripletTermSettings(length_scale=0.1), "length_scale: found 0.1"),
        (lambda: NoiseSettings(Sigmas(force=0)), "[noise] force: found 0"),
        (lambda: NoiseSettings(config_type={"odd": Sigmas(-1)}), "[noise] energy_per_atom: found"),
        (
            lambda: NoiseSettings(config_type={"odd": {"force": -1}}),
            "[noise.config_type.odd] force: found -1",
        ),
        (lambda: SolverSettings(-1), "[solver] jitter: found -1"),
        (
            lambda: SolverSettings(keep_factor="yes"),
            '[solver] keep_factor: found "yes", expected tr',
        ),
        (lambda: BaselineSettings("fitted"), 'isolated_atom_energies: found "fitted"'),
        (
            lambda: ZblSettings(2.0, 1.0),
            "[baseline.zbl] inner: found 2.0, expected less than outer",
        ),
        (lambda: LabelKeys(""), "[data] energy_key"),
        (lambda: FitSettings(DATA, terms=SOAP), "terms: found {"),
        (lambda: FitSettings(DATA, (SOAP, 5)), "[[terms]] number 2 found 5, expected a table"),
        (
            lambda: FitSettings(DATA, (SOAP, {"cutof": 5})),
            "[[terms]] number 2 unknown key 'cutof'; did you mean 'cutoff'?",
        ),
        (lambda: FitSettings(DATA, noise=3), "[noise] found 3, expected a table"),
        (lambda: FitSettings("train.xyz"), '[data] found "train.xyz", expected a table'),
    ],
)
def test_settings_that_are_wrong_cannot_be_made(make, words):
    with pytest.raises(SoapGprError) as error:
        make()
    assert words in str(error.value) and str(error.value).startswith("fit settings: ")


@pytest.mark.parametrize("use", [fit, estimate, learning_curve, read_data])
def test_settings_without_data_are_refused_by_every_function(use):
    with pytest.raises(
        SoapGprError, match=r"^made.toml: \[data\] train: found \[\], expected a list"
    ):
        use(FitSettings(DataSettings(()), (SOAP,), file="made.toml"))


def test_tables_of_a_kind_that_is_given_are_as_in_the_file():
    made = FitSettings(
        {"train": "a.xyz", "energy_key": "e"}, [{"kind": "pair"}], noise={"force": 1}
    )
    assert made.data == DataSettings(("a.xyz",), keys=LabelKeys("e"))
    assert made.terms == (PairTermSettings(),) and made.noise == NoiseSettings(Sigmas(force=1.0))


def test_species_that_are_absent_are_warned_of(train):
    settings = small_settings(
        train,
        n_sparse={"Cu": 20, "Au": 20, "Si": 20},
        atom_sigma={"Cu": 0.5, "Au": 0.5, "O": 0.4},
    )
    settings["baseline"] = {"isolated_atom_energies": {"Cu": 0.0, "Au": 0.0, "H": 1.0}}
    expected = [
        "[baseline] isolated_atom_energies: H is in no training structure",
        "term 1: n_sparse: Si is in no training structure",
        "term 1: atom_sigma: O is in no training structure",
    ]
    result = fit(settings, progress=False)
    assert [w for w in result.warnings if "in no training structure" in w] == expected
    assert f"warning: {expected[1]}" in estimate(settings)
    assert expected[1] in learning_curve(as_settings(settings), [4], 1).warnings


TERMS = {
    "quotas": {"n_sparse": 400, "n_sparse_config_type": {"even": 150, "odd": 150}},
    "quotas of all": {"n_sparse": 300, "n_sparse_config_type": {"even": 300}},
    "by species": {"n_sparse": {"Cu": 300, "Au": 250}, "n_sparse_config_type": {"odd": 250}},
    "derivatives": {"n_sparse": 400, "sparse_basis": "derivatives"},
    "cur": {"sparse_method": "cur", "n_sparse": 300},
}


@pytest.mark.parametrize("name", TERMS)
def test_dry_run_takes_every_choice_of_sparse_points(tmp_path, name):
    train = write_frames(tmp_path / "train.xyz", emt_frames(60, seed=3))
    settings = small_settings(train, **TERMS[name])
    text = estimate(settings)
    most = int(text.split("at most ")[1].split()[0])
    assert fit(settings, progress=False).model.n_weights <= most <= 800


@pytest.mark.parametrize("name", ["points", "model", "pair", "triplet"])
def test_dry_run_takes_every_kind_of_term(train, tmp_path, name):
    points = write_frames(tmp_path / "points.xyz", emt_frames(2, seed=5))
    settings = small_settings(train)
    if name in ("pair", "triplet"):
        settings["terms"].append({"kind": name, "cutoff": 3.5, "n_sparse": 10})
    else:
        if name == "model":
            fit(settings, progress=False).model.save(points := str(tmp_path / "m.sgpr"))
        del settings["terms"][0]["n_sparse"]
        settings["terms"][0] |= {"sparse_method": "file", "sparse_file": points}
    most = int(estimate(settings).split("at most ")[1].split()[0])
    assert fit(settings, progress=False).model.n_weights <= most


def test_dry_run_tells_what_is_new_to_a_factor(train, tmp_path):
    settings, factor = small_settings(f"{train}@:8"), tmp_path / "factor"
    assert f"8 structures are new to {factor}" in estimate(settings, factor)
    fit(settings, progress=False, factor=factor)
    settings["data"]["train"] = [train]
    content = factor.read_bytes()
    assert f"4 structures are new to {factor}" in estimate(settings, factor)
    assert factor.read_bytes() == content
    settings["terms"][0]["cutoff"] = 4.1
    with pytest.raises(SoapGprError, match="found the factor of a fit with other"):
        estimate(settings, factor)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
def test_as_many_structures_are_held_out_as_asked_for(train, fraction):
    data = read_data(as_settings(small_settings(train)))
    data = replace(data, train=data.train[:10], test=[])
    held = hold_out(data, fraction, 0)
    assert len(held.test) == math.ceil(round(10 * fraction, 6))
    assert sorted(map(fingerprint, held.test + held.train)) == sorted(map(fingerprint, data.train))


def test_a_fifth_is_held_out_as_ever(train):
    """The places of a random order that are multiples of five, as in earlier versions."""
    data = read_data(as_settings(small_settings(train)))
    keys = sorted(map(fingerprint, data.train))
    order = np.random.default_rng(4).permutation(len(keys))
    expected = {key for key, place in zip(keys, order, strict=True) if place % 5 == 0}
    assert {fingerprint(structure) for structure in hold_out(data, 0.2, 4).test} == expected


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 1.5, math.nan, math.inf])
def test_fractions_that_are_none_are_refused(train, fraction):
    with pytest.raises(SoapGprError, match="held_out: found"):
        learning_curve(as_settings(small_settings(train)), held_out=fraction)


@pytest.mark.parametrize("fraction", [0.05, 0.95, 1e-20])
def test_too_few_structures_to_hold_out_are_named(train, fraction):
    with pytest.raises(SoapGprError, match="found 12 different training structures, expected"):
        learning_curve(as_settings(small_settings(train)), held_out=fraction)


@pytest.mark.parametrize("options", [{"repeats": 0}, {"repeats": 10**9}, {"seed": -1}])
def test_learning_curve_checks_its_numbers(train, options):
    with pytest.raises(SoapGprError, match=f"{next(iter(options))}: found"):
        learning_curve(as_settings(small_settings(train)), **options)
