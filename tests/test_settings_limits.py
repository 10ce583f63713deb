# SPDX-License-Identifier: BSD-3-Clause
"""Every key with absurd values: the fit runs, or one sentence names the key. No overflow, no
traceback, no memory without end."""

import copy
import dataclasses
import itertools
import math

import pytest
from training_data import emt_frames, write_frames

from potential.cli import main
from potential.errors import SoapGprError
from potential.settings import (
    AlchemySettings,
    BaselineSettings,
    ContractionSettings,
    FeatureSelection,
    LabelKeys,
    OptimiseSettings,
    PairTermSettings,
    Sigmas,
    SoapTermSettings,
    SolverSettings,
    TripletTermSettings,
    ZblSettings,
)
from potential.training.fitting import fit
from potential.validation.search_space import TuneSettings, parse_tune
from potential.validation.tuning import tune

TERMS = {
    "soap": {"cutoff": 3.0, "n_max": 2, "l_max": 1, "zeta": 2, "n_sparse": 4},
    "pair": {"kind": "pair", "cutoff": 3.2, "n_sparse": 4},
    "triplet": {"kind": "triplet", "cutoff": 3.0, "n_sparse": 4},
    "acsf": {"kind": "acsf", "cutoff": 3.0, "n_sparse": 4, "g2": [[1.0, 0.0]]},
    "product": {"kind": "product", "factors": [{"cutoff": 3.0, "n_max": 2}] * 2, "n_sparse": 4},
}
# What makes a table whole in which one value is replaced.
WHOLE = {
    "n_sparse": {"Au": 3, "Cu": 3},
    "atom_sigma": {"Au": 3, "Cu": 3},
    "alchemy": {"dimensions": 1},
    "optimise": {"n_structures": 3, "steps": 1},
    "contraction": {"n_channels": 2},
    "feature_selection": {"n_features": 3},
}
TABLES = {  # of a soap term
    "alchemy": AlchemySettings,
    "alchemy.optimise": OptimiseSettings,
    "contraction": ContractionSettings,
    "feature_selection": FeatureSelection,
}
VALUES = [
    *(-1, 0, 1, 10**5, 10**20, 10**400, -(10**400), 1 << 20000, 0.5, 1e20, 1e-20, 1e300, 1e-300),
    *(math.nan, math.inf, -math.inf, True, "", "x", "a\nb", "a\0b", "x" * 300),
    *([], [1], ["x"], {}, {"x": 1}, {"Cu": 1}, {"Cu": 10**20}, {"Cu": math.nan}, {"Cu": "x"}),
]


def names(settings):
    return [field.name for field in dataclasses.fields(settings)]


KEYS = [
    *(
        f"terms.{kind}.{name}"
        for kind, settings in (
            ("soap", SoapTermSettings),
            ("pair", PairTermSettings),
            ("triplet", TripletTermSettings),
        )
        for name in names(settings)
    ),
    *(f"terms.soap.{table}.{name}" for table, own in TABLES.items() for name in names(own)),
    *(f"terms.acsf.{name}" for name in ("g1", "g2", "g3", "g4", "g5", "feature_scaling")),
    *(f"terms.product.{name}" for name in ("factors", "delta", "sparse_method", "centers")),
    "data.extra_species",
    "data.beads",
    *(f"terms.soap.radial_scaling.{name}" for name in ("scale", "exponent", "rate")),
    "terms.soap.n_sparse_config_type.even",
    "terms.soap.atom_sigma.Cu",
    "terms.soap.n_sparse.Cu",
    *(f"baseline.{name}" for name in names(BaselineSettings)),
    "baseline.isolated_atom_energies.Cu",
    *(f"baseline.zbl.{name}" for name in names(ZblSettings)),
    *(f"noise.{name}" for name in (*names(Sigmas), "config_type", "config_type.even")),
    *(f"noise.config_type.even.{name}" for name in names(Sigmas)),
    *(f"solver.{name}" for name in names(SolverSettings)),
    *(f"data.{name}" for name in ("train", "test", *names(LabelKeys))),
    *("data", "terms", "baseline", "noise", "solver"),
]


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return write_frames(tmp_path_factory.mktemp("limits") / "train.xyz", emt_frames(3, seed=1))


def changed(train, key, value):
    """Settings of a quick fit with one value replaced."""
    kind = key.split(".")[1] if key.startswith("terms.") else "soap"
    settings = {"data": {"train": [train]}, "terms": copy.deepcopy([TERMS[kind]])}
    *path, last = [0 if word == kind else word for word in key.split(".")]
    place = settings
    for word in path:
        if isinstance(place, dict) and not isinstance(place.get(word), (dict, list)):
            place[word] = copy.deepcopy(WHOLE.get(word, {}))
        place = place[word]
    place[last] = copy.deepcopy(value)
    return settings


@pytest.mark.parametrize("key", KEYS)
def test_absurd_values_run_or_are_named(train, key):
    for value in VALUES:
        try:
            fit(changed(train, key, value), progress=False)
        except SoapGprError as error:
            last = key.rsplit(".", 1)[-1]
            text, words = str(error), [last]
            if key.startswith("data."):  # the file or the label is named
                words.append("no frame has" if last.endswith("_key") else ": found nothing")
            if key.endswith(".apart"):  # one of three structures, which is too few
                words.append("[[terms]] alchemy.optimise: found 1 structures")
            if key == "baseline.pair_table":
                words.append("pair table")
            text = text.replace("a\nb", "a b")  # a name that a file may have
            assert any(word in text for word in words), text
            assert "\n" not in text and len(text) < 6000, text


@pytest.mark.parametrize(
    "text, words",
    [
        ("[solver]\njitter = " + "9" * 5000, "not valid TOML"),
        ("[solver]\njitter = 0x" + "f" * 5000, "jitter: found thousands of digits"),
        ("[[terms]]\nn_sparse = 0x" + "f" * 5000, "n_sparse: found thousands of digits"),
        ("[solver]\njitter = " + "[" * 5000, "not valid TOML"),
        ('[solver]\n"a\\nb" = 1', r"unknown key 'a\nb'"),
        ('[noise.config_type."a\\nb"]\nforce = 0', r"[noise.config_type.a\nb] force: found 0"),
        ('[baseline]\nisolated_atom_energies = "a\\nb"', r'found "a\nb", expected one of'),
        ("[[terms]]\nkind = 'pair'\nn_sparse = 99999999999999999999", "integer from 1 to 1000"),
    ],
)
def test_absurd_files_are_one_sentence(train, tmp_path, capsys, text, words):
    file = tmp_path / "fit.toml"
    file.write_text(f"[data]\ntrain = ['{train}']\n{text}\n")
    assert main(["fit", str(file), "-o", str(tmp_path / "m.sgpr")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and words in error and len(error) < 1000


def test_absurd_slices_are_one_sentence(train, capsys):
    for index in ("9" * 20, "9" * 5000, "::" + "9" * 20, "-" + "9" * 19 + ":"):
        assert main(["check", f"{train}@{index}"]) in (0, 1)
        assert "Traceback" not in capsys.readouterr().err


TUNE = {"folds": 2, "method": "grid", "search": {"noise.force": [0.05, 0.1]}}
TUNE_KEYS = [
    *(name for name in names(TuneSettings) if name not in ("values", "file", "search")),
    *("search", "search.noise.force", "search.noise.force.low", "search.noise.force.high"),
    *("search.noise.force.points", "search.noise.force.log"),
]


@pytest.mark.parametrize("key", TUNE_KEYS)
def test_absurd_values_of_tune_run_or_are_named(train, key):
    for value in VALUES:
        table = copy.deepcopy(TUNE)
        last = key.rsplit(".", 1)[-1]
        if key.startswith("search.noise.force."):
            table["search"]["noise.force"] = {"low": 0.1, "high": 0.2, "points": 2, last: value}
        elif key == "search.noise.force":
            table["search"]["noise.force"] = value
        else:
            table[key] = value
        try:
            settings = parse_tune(
                {"data": {"train": [train]}, "terms": [TERMS["soap"]], "tune": table}, "fit.toml"
            )
            if settings.trials <= 30 and len(list(itertools.islice(settings.grid(), 10))) < 10:
                tune(settings)
        except SoapGprError as error:
            words = [last, "[noise] force", "noise.force", "[tune.search] x"]
            assert any(word in str(error) for word in words), str(error)
            assert "\n" not in str(error)


def test_integers_without_end_are_no_grid(train):
    search = {"terms.0.n_sparse": {"low": 1, "high": 1_000_000}}
    values = {"data": {"train": [train]}, "tune": TUNE | {"search": search}}
    with pytest.raises(SoapGprError, match="found no points, expected their number"):
        parse_tune(values, "fit.toml")


@pytest.mark.parametrize("value", ["1e20", "99999999999999999999", "9" * 5000, "-1", "nan", "inf"])
@pytest.mark.parametrize(
    "line",
    [
        "compare-features fit.toml fit.toml train.xyz --environments",
        "compare-features fit.toml fit.toml train.xyz --neighbors",
        "compare-features fit.toml fit.toml train.xyz --seed",
        "compare-features fit.toml fit.toml train.xyz --zeta",
        "describe train.xyz --settings fit.toml --zeta",
        "describe train.xyz --settings fit.toml --gamma",
        "describe train.xyz --settings fit.toml --threshold",
        "describe train.xyz --settings fit.toml --outlier",
        "map train.xyz --settings fit.toml --term",
        "map train.xyz --settings fit.toml --landmarks",
        "map train.xyz --settings fit.toml --points",
        "map train.xyz --settings fit.toml --seed",
        "learning-curve fit.toml --repeats",
        "learning-curve fit.toml --seed",
        "learning-curve fit.toml --sizes",
        "learning-curve fit.toml --memory",
        "learning-curve fit.toml --disk",
        "benchmark m.sgpr --atoms",
        "benchmark m.sgpr --threads",
        "benchmark m.sgpr --seconds",
        "compress m.sgpr train.xyz -o c.sgpr --tolerance",
        "drive m.sgpr --template train.xyz --unix x --threads",
    ],
)
def test_absurd_options_are_wrong_usage(capsys, line, value):
    try:
        code = main([*line.split(), value])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    error = capsys.readouterr().err
    assert line.rsplit(" ", 1)[-1] in error and "Traceback" not in error


@pytest.mark.parametrize("value", ["1025", "99999999999", "9" * 5000])
def test_absurd_numbers_of_threads_are_refused(train, monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    with pytest.raises(SoapGprError, match=r"OMP_NUM_THREADS: found .*, expected a num"):
        fit(changed(train, "solver.jitter", 1e-9), progress=False)
