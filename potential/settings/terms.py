# SPDX-License-Identifier: BSD-3-Clause
"""The [[terms]] of fit.toml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from potential.errors import SoapGprError
from potential.settings.fit_settings import (
    BASES,
    MOST_LENGTH_SCALES,
    RADIAL_SCALING,
    SPARSE_BASES,
    SPARSE_METHODS,
    PairTermSettings,
    SoapTermSettings,
    TermSettings,
    TripletTermSettings,
)
from potential.settings.limits import (
    LEAST_DELTA,
    LEAST_SIGMA,
    LEAST_WIDTH,
    MOST_CUTOFF,
    MOST_DELTA,
    MOST_PAIR_SPARSE,
    MOST_SEED,
    MOST_SPARSE,
)
from potential.settings.table import Table, is_integer, is_number


def read_terms(root: Table, folder: Path) -> tuple[TermSettings, ...]:
    """All of them, by default one soap term; files are relative to the folder."""
    values = root.take("terms", [{}])
    if not isinstance(values, list) or not values:
        raise root.error("terms", "at least one [[terms]] table")
    several = len(values) > 1
    tables = [
        Table(value, root.file, "terms", f"[[terms]]{f' number {k + 1}' if several else ''}")
        for k, value in enumerate(values)
    ]
    return tuple(_term(table, folder) for table in tables)


def _term(table: Table, folder: Path) -> TermSettings:
    kind = table.choice("kind", "soap", ("soap", *_TERMS))
    if kind == "soap":
        return _soap_term(table, folder)
    return _TERMS[kind](table)


def _pair_term(table: Table) -> PairTermSettings:
    default = PairTermSettings()
    term = PairTermSettings(**_of_functions(table, default, MOST_PAIR_SPARSE))
    table.finish()
    _require_width_within_cutoff(table, term)
    return term


def _of_functions(
    table: Table, default: PairTermSettings | TripletTermSettings, most_sparse: int
) -> dict[str, Any]:
    """What terms of functions of distances have in common."""
    return {
        "cutoff": table.number("cutoff", default.cutoff, above=0, most=MOST_CUTOFF),
        "cutoff_width": table.number("cutoff_width", default.cutoff_width, least=LEAST_WIDTH),
        "length_scale": table.number(
            "length_scale", default.length_scale, least=LEAST_SIGMA, most=MOST_CUTOFF
        ),
        "n_sparse": table.integer("n_sparse", default.n_sparse, least=1, most=most_sparse),
        "delta": table.number("delta", default.delta, least=LEAST_DELTA, most=MOST_DELTA),
    }


def _triplet_term(table: Table) -> TripletTermSettings:
    default = TripletTermSettings()
    term = TripletTermSettings(
        **_of_functions(table, default, MOST_SPARSE),
        seed=table.integer("seed", default.seed, least=0, most=MOST_SEED),
    )
    table.finish()
    _require_width_within_cutoff(table, term)
    if term.cutoff > MOST_LENGTH_SCALES * term.length_scale:
        raise SoapGprError(
            f"{table.where('length_scale')}: found {term.length_scale:g} Å, expected at least "
            f"cutoff / {MOST_LENGTH_SCALES} = {term.cutoff / MOST_LENGTH_SCALES:g} Å"
        )
    return term


def _require_width_within_cutoff(table: Table, term: PairTermSettings | TripletTermSettings):
    if term.cutoff_width > term.cutoff:
        raise SoapGprError(
            f"{table.where('cutoff_width')}: found {term.cutoff_width:g} Å, expected at most "
            f"cutoff = {term.cutoff:g} Å"
        )


def _soap_term(table: Table, folder: Path) -> SoapTermSettings:
    default = SoapTermSettings()
    term = SoapTermSettings(
        cutoff=table.number("cutoff", default.cutoff, above=0, most=MOST_CUTOFF),
        cutoff_width=table.number("cutoff_width", default.cutoff_width, least=LEAST_WIDTH),
        n_max=table.integer("n_max", default.n_max, least=1, most=30),
        l_max=table.integer("l_max", default.l_max, least=0, most=20),
        atom_sigma=_atom_sigma(table, default.atom_sigma),
        zeta=table.integer("zeta", default.zeta, least=1, most=32),
        basis=table.choice("basis", default.basis, BASES),
        radial_scaling=_radial_scaling(table),
        central_weight=table.number("central_weight", default.central_weight, least=0, most=1e6),
        n_sparse=_n_sparse(table, default.n_sparse),
        n_sparse_config_type=_quotas(table),
        sparse_method=table.choice("sparse_method", default.sparse_method, SPARSE_METHODS),
        sparse_file=_sparse_file(table, folder),
        sparse_basis=table.choice("sparse_basis", default.sparse_basis, SPARSE_BASES),
        delta=table.number("delta", default.delta, least=LEAST_DELTA, most=MOST_DELTA),
        seed=table.integer("seed", default.seed, least=0, most=MOST_SEED),
    )
    table.finish()
    _check_sparse(table, term)
    try:
        term.soap_basis()
    except SoapGprError as error:
        raise SoapGprError(f"{table.where()} {error}") from None
    return term


_TERMS: dict[str, Callable[[Table], TermSettings]] = {
    "pair": _pair_term,
    "triplet": _triplet_term,
}


def _atom_sigma(table: Table, default: Any) -> Any:
    if isinstance(table.values.get("atom_sigma"), dict):
        return table.by_species(
            "atom_sigma",
            lambda value: is_number(value, LEAST_SIGMA, MOST_CUTOFF),
            f"a width in Å >= {LEAST_SIGMA:g} and <= {MOST_CUTOFF:g}",
        )
    return table.number("atom_sigma", default, least=LEAST_SIGMA, most=MOST_CUTOFF)


def _n_sparse(table: Table, default: Any) -> Any:
    if isinstance(table.values.get("n_sparse"), dict):
        return table.by_species(
            "n_sparse",
            lambda value: is_integer(value, 1, MOST_SPARSE),
            f"an integer from 1 to {MOST_SPARSE}",
        )
    return table.integer("n_sparse", default, least=1, most=MOST_SPARSE)


def _quotas(table: Table) -> dict[str, int]:
    """Sparse points of each species that come from a config_type at least."""
    own = table.table("n_sparse_config_type")
    return {name: own.integer(name, 1, least=1, most=MOST_SPARSE) for name in own.values}


def _sparse_file(table: Table, folder: Path) -> str | None:
    name = table.string("sparse_file")
    wanted = table.values.get("sparse_method") == "file"
    if wanted and "n_sparse" in table.values:
        raise table.error("n_sparse", 'nothing with sparse_method = "file", which takes all points')
    if wanted and name is None:
        raise SoapGprError(f'{table.where("sparse_file")}: missing, with sparse_method = "file"')
    if name is not None and not wanted:
        raise table.error("sparse_file", 'nothing without sparse_method = "file"')
    return None if name is None else str(folder / name)


def _check_sparse(table: Table, term: SoapTermSettings) -> None:
    """Raises SoapGprError for settings of sparse points that exclude each other."""
    quotas = sum(term.n_sparse_config_type.values())
    counts = [term.n_sparse] if isinstance(term.n_sparse, int) else term.n_sparse.values()
    if quotas and term.sparse_method == "file":
        raise table.error("n_sparse_config_type", 'nothing with sparse_method = "file"')
    if quotas > min(counts):
        raise table.error("n_sparse_config_type", f"at most n_sparse = {min(counts)} together")
    if term.sparse_basis != "derivatives":
        return
    if not isinstance(term.n_sparse, int):
        raise SoapGprError(
            f"{table.where('n_sparse')}: found a table by species, expected one number of "
            'coordinates with sparse_basis = "derivatives"'
        )
    for key in ("n_sparse_config_type", "sparse_file"):
        if getattr(term, key):
            raise table.error(key, 'nothing with sparse_basis = "derivatives"')


def _radial_scaling(table: Table) -> dict[str, float]:
    """u(r) = rate / (rate + (r/scale)^exponent), docs/theory.md eq. (1b)."""
    scaling = table.table("radial_scaling")
    values = {
        "scale": scaling.number("scale", RADIAL_SCALING["scale"], least=0.01, most=1e6),
        "exponent": scaling.number("exponent", RADIAL_SCALING["exponent"], least=0, most=50),
        "rate": scaling.number("rate", RADIAL_SCALING["rate"], least=1e-12, most=1e12),
    }
    scaling.finish()
    return values
