# SPDX-License-Identifier: BSD-3-Clause
"""Settings as they are declared: what is in range reads, what is not is one sentence on the key."""

import dataclasses
import math
import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run
from hypothesis import strategies as st

from potential import schema
from potential.basis.settings import SCALING
from potential.errors import SoapGprError
from potential.schema.settings import declared, keys
from potential.schema.values import plain
from potential.settings import (
    KINDS,
    AlchemySettings,
    BaselineSettings,
    ContractionSettings,
    DataSettings,
    FitSettings,
    LabelKeys,
    NoiseSettings,
    Sigmas,
    SoapTermSettings,
    SolverSettings,
    TermSettings,
    ZblSettings,
)
from potential.settings.features import FeatureSelection
from potential.settings.file import as_settings, parse_settings
from potential.settings.product import FactorSettings, ProductTermSettings
from potential.settings.terms import KernelTermSettings
from potential.validation.search_space import Range, TuneSettings

# No clock decides, and nothing is kept between runs.
few = run(deadline=None, max_examples=25, database=None, suppress_health_check=list(HealthCheck))
NAMES = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=8)
SPECIES = st.sampled_from(["H", "O", "Si", "Cu"])
TABLES = {
    "data": DataSettings,
    "baseline": BaselineSettings,
    "noise": NoiseSettings,
    "solver": SolverSettings,
}


NEEDED = {ProductTermSettings: {"factors": [{}, {}]}}  # beside the key that is looked at


def inside(value):
    """Values that are in range."""
    match value:
        case schema.Number():
            low = max(value.least, value.above, -1e12)
            numbers = st.floats(
                low, min(value.most, 1e12), exclude_min=value.above == low, allow_subnormal=False
            )
            numbers = numbers | st.just(0.0) if value.zero else numbers
            return numbers | st.just(math.inf) if value.infinite else numbers
        case schema.Integer():
            return st.integers(value.least, value.most)
        case schema.Flag():
            return st.booleans()
        case schema.Choice():
            return st.sampled_from(value.options)
        case schema.Files():
            return st.lists(NAMES, min_size=1, max_size=3)
        case schema.Text():
            return NAMES
        case schema.Symbols():
            return st.lists(SPECIES, max_size=3)
        case schema.Vector():
            return st.lists(st.floats(0.1, 2), min_size=1, max_size=3)
        case schema.Beads():
            return st.lists(st.sampled_from(["MW", "PO", "W1", "water"]), unique=True)
        case schema.BySpecies():
            table = st.dictionaries(SPECIES, inside(value.each), min_size=1)
            return inside(value.all) | table
        case schema.ByName():
            return st.dictionaries(NAMES, inside(value.each), max_size=2)
        case schema.Numbers():
            parts = {key: inside(of) for key, (_, of) in value.keys.items()}
            return st.fixed_dictionaries({}, optional=parts)
        case schema.Row():
            return st.tuples(*map(inside, value.of.values())).map(list)
        case schema.Items():
            return st.lists(inside(value.each), min_size=1, max_size=3)
        case schema.Tables():
            return st.lists(table_of(value.of), min_size=value.least, max_size=value.least)
        case schema.Nested():
            return table_of(value.of)
    raise AssertionError(value)


def outside(value):
    """Values that are not."""
    of_lists = isinstance(value, (schema.Files, schema.Symbols, schema.Beads, schema.Items))
    wrong = [st.just([True] if of_lists else [])]
    match value:
        case schema.Number():
            if value.most < math.inf:
                wrong.append(
                    st.floats(value.most, exclude_min=True, allow_infinity=not value.infinite)
                )
            if (low := max(value.least, value.above)) > -math.inf:
                below = st.floats(max_value=low, exclude_max=value.least == low)
                wrong.append(below.filter(lambda x: x != 0 or not value.zero))
            wrong.append(st.sampled_from([math.nan, -math.inf, True, "1", None]))
        case schema.Integer():
            wrong += [st.integers(value.most + 1), st.integers(max_value=value.least - 1)]
            wrong.append(st.sampled_from([True, 1.5, "1"]))
        case schema.Flag():
            wrong.append(st.sampled_from([0, 1, "true"]))
        case schema.Choice():
            wrong.append(NAMES.filter(lambda text: text not in value.options))
        case schema.Beads():
            wrong.append(st.sampled_from(["MW", ["W"], ["Xx"], ["MW", "MW"], ["longer"], ["1W"]]))
        case schema.Text() | schema.Files() | schema.Symbols() | schema.Vector():
            wrong.append(st.sampled_from(["a\0b", 3, 1.5, {}]))
        case schema.BySpecies():
            wrong += [outside(value.all).filter(lambda x: not isinstance(x, dict)), st.just({})]
            wrong.append(st.dictionaries(SPECIES, outside(value.each), min_size=1))
            wrong.append(
                st.dictionaries(
                    st.sampled_from(["X", "Xy", "longer"]), inside(value.each), min_size=1
                )
            )
        case schema.ByName():
            wrong.append(st.dictionaries(NAMES, outside(value.each), min_size=1))
        case schema.Row():
            for name, own in value.of.items():
                others = [
                    inside(of) if key != name else outside(own) for key, of in value.of.items()
                ]
                wrong.append(st.tuples(*others).map(list))
        case schema.Items():
            wrong += [st.lists(outside(value.each), min_size=1, max_size=3), st.just(1.0)]
        case schema.Nested():
            wrong.append(st.sampled_from([3, "x"]))
    return st.one_of(wrong)


def table_of(of):
    """Tables whose values are in range and keep the rules across settings."""
    parts = {key: inside(declared(own)[key]) for key, own in keys(of).items()}
    required = {key: parts.pop(key) for key in ("train", "dimensions", "factors") if key in parts}
    return st.fixed_dictionaries(required, optional=parts).map(lambda table: reconciled(of, table))


def reconciled(of, table):
    """The table without what other keys of it exclude."""
    if "cutoff_width" in table:
        table["cutoff_width"] = max(0.001, min(table["cutoff_width"], 0.9 * table.get("cutoff", 3)))
    if of is ZblSettings and len(table) == 2:
        table["outer"] = table["inner"] + 1
    if issubclass(of, (TermSettings, FactorSettings)) and "cutoff" in table:
        table["cutoff"] = max(table["cutoff"], 1.2)
    if issubclass(of, TermSettings) and "length_scale" in keys(of):
        least = table.get("cutoff", of.cutoff) / 16
        table["length_scale"] = max(table.get("length_scale", 1.0), least)
    if of is AlchemySettings:
        _reconcile_map(table)
    if of is FeatureSelection:
        table |= {"n_features": 4}
        table.pop("tolerance", None)
    if issubclass(of, KernelTermSettings):
        _reconcile_kernel(table)
    if of in (SoapTermSettings, FactorSettings):
        _reconcile_soap(table)
    if of is FactorSettings and table.get("alchemy"):
        table["alchemy"].pop("optimise", None)
    if of is FactorSettings and table.get("feature_selection"):
        table["feature_selection"]["per_species"] = False
    if of is ProductTermSettings and table.get("sparse_method") == "cur":
        for factor in table["factors"]:
            factor["zeta"] = 2
    if issubclass(of, TermSettings):
        _reconcile_quotas(table)
    return table


def _reconcile_map(table):
    table.pop("optimised_zeta", None)
    table.setdefault("start", "properties")
    if isinstance(table["start"], dict):
        n = table["dimensions"]
        table["start"] = {symbol: [own[0]] * n for symbol, own in table["start"].items()}
    if table["start"] != "properties":
        table.pop("sigma_electronegativity", None)
        table.pop("sigma_radius", None)


def _reconcile_kernel(table):
    if table.get("centers", "separate") != "separate" and isinstance(table.get("n_sparse"), dict):
        del table["n_sparse"]
    table.pop("sparse_file", None)
    if table.get("sparse_method") == "cur":
        table["zeta"] = round(table.get("zeta", 4))
    if table.get("sparse_method") == "file":
        table.pop("n_sparse", None)
        table.pop("n_sparse_config_type", None)
        table["sparse_file"] = "points.xyz"


def _reconcile_soap(table):
    one = table.get("centers", "separate") != "separate"
    if (one or table.get("sparse_basis") == "derivatives") and table.get("feature_selection"):
        table["feature_selection"]["per_species"] = False
    if table.get("centers", "separate") != "separate":
        table.pop("sparse_basis", None)
        if not table.get("alchemy"):
            table["centers"] = "shared"
    if table.get("alchemy"):
        table.pop("contraction", None)
        if table.get("representation", "power_spectrum") != "power_spectrum":
            table["alchemy"].pop("optimise", None)
    if table.get("representation") != "bispectrum":
        table.pop("parity", None)
    if table.get("representation") == "radial_spectrum":
        table.pop("max_eigenvalue", None)
    if table.get("max_eigenvalue"):
        for key in ("n_max", "l_max"):
            table.pop(key, None)
        table |= {"basis": "laplacian", "cutoff": 5.0, "cutoff_width": 0.5, "max_eigenvalue": 2.0}
    elif table.get("basis") == "laplacian":
        table |= {"n_max": 12, "l_max": 2}
    if table.get("representation") == "radial_spectrum":
        table["l_max"] = 0
    if table.get("atom_sigma_growth"):
        table["atom_sigma"] = 0.5
    if table.get("contraction") is not None:
        table["contraction"] = {"n_channels": 4}
    if 0 < (table.get("radial_scaling") or {}).get("exponent", 0) < 2:
        table["radial_scaling"]["exponent"] = 1
    if table.get("sparse_method") == "file":
        table.pop("sparse_basis", None)
    if table.get("sparse_basis") == "derivatives":
        for key in ("n_sparse", "zeta", "normalize", "offset", "n_sparse_config_type"):
            table.pop(key, None)


def _reconcile_quotas(table):
    counts = table.get("n_sparse", 1000)
    least = min(counts.values()) if isinstance(counts, dict) else counts
    if sum(table.get("n_sparse_config_type", {}).values()) > least:
        table["n_sparse_config_type"] = {}


def term(kind):
    return table_of(KINDS[kind]).map(lambda table: {"kind": kind} | table)


FILES = st.fixed_dictionaries(
    {"data": table_of(DataSettings)},
    optional={name: table_of(of) for name, of in TABLES.items() if name != "data"}
    | {"terms": st.lists(st.one_of(*map(term, KINDS)), min_size=1, max_size=3)},
).map(lambda values: reconciled_solver(values))


def reconciled_solver(values):
    """Without what terms exclude."""
    if any(own.get("sparse_basis") == "derivatives" for own in values.get("terms", [])):
        values.get("solver", {}).pop("sparse_tolerance", None)
    return values


@few
@given(FILES)
def test_whatever_is_in_range_is_read_and_kept(values):
    settings = parse_settings(values, file="fit.toml", folder="/data")
    for given_term, read in zip(values.get("terms", []), settings.terms, strict=True):
        for key, value in given_term.items():
            if key == "radial_scaling":
                assert read.radial_scaling == SCALING.default | value
            elif key == "contraction":
                assert read.contraction == ContractionSettings(**value)
            elif key == "feature_selection":
                assert read.feature_selection == FeatureSelection(**value)
            elif key == "factors":
                assert read.factors == tuple(FactorSettings(**own) for own in value)
            elif key == "alchemy":
                assert read.alchemy == AlchemySettings(**value)
            elif key != "sparse_file":
                assert plain(getattr(read, key)) == value, key
    assert all(name == str(Path("/data") / name) for name in settings.data.train)
    assert dataclasses.replace(settings) == settings and as_settings(settings) is settings
    made = FitSettings(**{key: getattr(settings, key) for key in declared(FitSettings)})
    assert dataclasses.replace(made, file="fit.toml") == settings
    assert made.to_dict()["terms"] == settings.to_dict()["terms"]


KEYS = [
    *((f"terms.{kind}", of, key) for kind, of in KINDS.items() for key in keys(of)),
    *((name, of, key) for name, of in TABLES.items() for key in keys(of)),
    ("baseline.zbl", ZblSettings, "inner"),
    ("baseline.zbl", ZblSettings, "outer"),
    *(("noise.config_type.odd", Sigmas, key) for key in keys(Sigmas)),
]


@pytest.mark.parametrize("table, of, key", KEYS, ids=lambda item: getattr(item, "__name__", item))
@few
@given(data=st.data())
def test_one_key_out_of_range_is_one_sentence_that_names_it(table, of, key, data):
    value = data.draw(outside(declared(keys(of)[key])[key]))
    values = {"data": {"train": ["a.xyz"]}}
    first, *more = table.split(".")
    if first == "terms":
        values["terms"] = [NEEDED.get(of, {}) | {"kind": more[0], key: value}]
    else:
        place = values.setdefault(first, {})
        for name in more:
            place = place.setdefault(name, {})
        place[key] = value
    if value is None and getattr(of, key, 0) is None:
        return  # as if it were not there
    with pytest.raises(SoapGprError) as error:
        parse_settings(values, file="fit.toml")
    text = str(error.value)
    assert text.startswith("fit.toml: ") and key in text and text.isprintable()
    assert "expected" in text or "unknown key" in text


@few
@given(st.sampled_from([*KINDS.values(), *TABLES.values()]), st.data())
def test_made_in_python_is_refused_by_the_same_sentence(of, data):
    key = data.draw(st.sampled_from([name for name in declared(of) if name != "keys"]))
    if declared(of)[key].group:
        return
    value = data.draw(outside(declared(of)[key]))
    if value is None and getattr(of, key, 0) is None:
        return
    with pytest.raises(SoapGprError) as made:
        of(**NEEDED.get(of, {}) | {key: value})
    name = {of: name for name, of in TABLES.items()}.get(of)
    table = {key: value} if name else NEEDED.get(of, {}) | {"kind": of.kind, key: value}
    values = {"data": {"train": "a"}, **({name: table} if name else {"terms": [table]})}
    if name == "data":
        values["data"] = {"train": "a"} | table
    with pytest.raises(SoapGprError) as read:
        parse_settings(values)
    if key != "kind":
        assert str(made.value) == str(read.value)


@pytest.mark.parametrize("of", [*KINDS.values(), *TABLES.values(), LabelKeys, Sigmas, TuneSettings])
def test_every_key_has_a_meaning(of):
    for key, own in keys(of).items():
        assert declared(own)[key].help, key


def test_errors_travel_between_processes():
    with pytest.raises(SoapGprError) as error:
        SolverSettings(-1)
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value) and type(again) is type(error.value)


def test_ranges_of_a_search_are_checked_when_made():
    assert Range("noise.force", 1, 5).is_integer
    with pytest.raises(SoapGprError, match=r"high: found 1\.0, expected low < high"):
        Range("noise.force", 2.0, 1.0)
