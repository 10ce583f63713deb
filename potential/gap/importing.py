# SPDX-License-Identifier: BSD-3-Clause
"""A GAP potential as a model of ours (docs/gap.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from potential.errors import SoapGprError
from potential.gap.entry import Entry
from potential.gap.functions.glue import glue_term, glue_types
from potential.gap.functions.pairs import gaussian_process_term, merged
from potential.gap.functions.triplets import triplet_terms
from potential.gap.read.descriptor_text import parse, species_named, takes_any
from potential.gap.read.gap_file import GapFile, read_gap
from potential.gap.soap.importing import SoapOptions, rounding_warnings
from potential.gap.soap.term import Descriptor, soap_term
from potential.gap.soap_options import read_soap
from potential.gap.soap_turbo.importing import TurboOptions, basis_warnings
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.structures.structure import symbol
from potential.terms import build_model, terms_of
from potential.terms.term import FixedTerm
from potential.version import package_version

COMPACT = 1596837814  # gap_version from which on distance_Nb has compact clusters unless told


def import_gap(
    path: str | Path,
    species: Sequence[int] | None = None,
    label: str | None = None,
    literal_clusters: bool = False,
    progress: Progress = silent,
) -> tuple[Model, list[str]]:
    """The model of the same energies and forces, and warnings.

    species: atomic numbers, by default those that the file names; label: of one among several
    potentials of a file; literal_clusters: compact clusters of two species depend on the order of
    the atoms as they do in QUIP. Raises SoapGprError for damaged files and what cannot be imported.
    """
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused at the end
            return _import(read_gap(path, label), species, literal_clusters, progress)
    except (ArithmeticError, np.linalg.LinAlgError, ValueError):
        raise SoapGprError(f"{path}: found numbers that are too large or too small") from None


def _import(
    file: GapFile, species: Sequence[int] | None, literal: bool, progress: Progress
) -> tuple[Model, list[str]]:
    entries, warnings = read_entries(file)
    chosen = species_of(file, entries, species)
    terms, own = _terms(entries, chosen, file.version, literal, progress)
    warnings += own
    terms = _scaled(terms, file.e_scale)  # the pair potential beside them is not
    if file.glue is not None:
        terms.append(glue_term(file.glue, chosen, str(file.path)))
    if not terms:
        raise SoapGprError(f"{file.path}: found no sparse points and no pair potential")
    e0 = [file.e_scale * file.e0[z] for z in chosen]
    try:
        return build_model(chosen, e0, terms, provenance=_provenance(file, warnings)), warnings
    except SoapGprError as error:
        raise SoapGprError(f"{file.path}: {error}") from None


def read_entries(file: GapFile) -> tuple[list[Entry], list[str]]:
    """The coordinates that have sparse points with their descriptors' options, and warnings."""
    entries, warnings = list[Entry](), file.warnings
    for coordinate in file.coordinates:
        name, values, own = parse(coordinate.descriptor, coordinate.where)
        warnings += own
        told = values.get("compact_clusters")
        compact = file.version >= COMPACT if told is None else told
        if len(coordinate.alpha):
            entries.append(Entry(name, values, coordinate, compact))
    return entries, warnings


def _terms(
    entries: Sequence[Entry],
    species: Sequence[int],
    version: int,
    literal: bool,
    progress: Progress,
) -> tuple[list[dict[str, Any]], list[str]]:
    """soap terms of equal options together, then pairs, then triplets; and warnings."""
    groups: dict[Descriptor, list] = {}
    pairs, triplets = [], []
    for entry in entries:
        if entry.kind == "soap":
            key, centers = read_soap(entry, version)
            groups.setdefault(key, []).append((entry.coordinate, centers))
        elif entry.kind == "pair":
            pairs.append(gaussian_process_term(entry, species))
        else:
            triplets.append(entry)
    soaps = [_soap_term(key, own, species) for key, own in groups.items()]
    terms, warnings = triplet_terms(triplets, species, literal, progress)
    warnings += basis_warnings(key for key in groups if isinstance(key, TurboOptions))
    warnings += rounding_warnings(key for key in groups if isinstance(key, SoapOptions))
    return soaps + merged(pairs) + terms, warnings


def _soap_term(key: Descriptor, own: list, species: Sequence[int]) -> dict[str, Any]:
    try:
        return soap_term(key, own, species)
    except SoapGprError as error:  # of the basis, which knows no files
        text, where = str(error), own[0][0].where
        raise SoapGprError(text if text.startswith(where) else f"{where}: {text}") from None


def species_of(
    file: GapFile, entries: Sequence[Entry], wanted: Sequence[int] | None = None
) -> list[int]:
    """Ascending atomic numbers: those asked for, or those named in the file."""
    if wanted is not None:
        _require_taken(file, entries, set(wanted))
        return sorted(set(wanted))
    found = file.trained_on.union(*(species_named(entry.values) for entry in entries))
    if not found and file.glue is not None:
        types = glue_types(file.glue, str(file.path))
        for entry in file.glue.walk("per_pair_data"):
            found |= {types.get(entry.attributes.get(k, ""), 0) for k in ("type1", "type2")}
    found -= {0}
    if not found:
        raise SoapGprError(
            f"{file.path}: names no species, its descriptors take any; name them with --species"
        )
    unknown = [z for z in found if not 0 < z < 119]
    if unknown:
        raise SoapGprError(f"{file.path}: found the atomic number {unknown[0]}")
    return sorted(found)


def _require_taken(file: GapFile, entries: Sequence[Entry], wanted: set[int]) -> None:
    """Raises SoapGprError for species that no descriptor takes; QUIP would give them e0 alone."""
    if file.glue is not None or any(takes_any(entry.values) for entry in entries):
        return
    taken = set[int]().union(*(species_named(entry.values) for entry in entries))
    if entries and wanted - taken:
        names = [", ".join(map(symbol, sorted(group))) for group in (wanted - taken, taken)]
        raise SoapGprError(
            f"{file.path}: found {names[0]} in --species, expected some of {names[1]}"
        )


def _scaled(terms, factor: float) -> list[dict[str, Any]]:
    """Energies times E_scale."""
    if factor == 1:
        return terms
    scaled = []
    for term in terms:
        key = "weights" if "weights" in term else "tables"
        own = term | {key: {a: factor * values for a, values in term[key].items()}}
        if "processes" in term:
            own["process_weights"] = [factor * weights for weights in term["process_weights"]]
            own["processes"] = [
                process | {"constant": factor * process["constant"]}
                for process in term["processes"]
            ]
        scaled.append(own)
    return scaled


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _provenance(file: GapFile, warnings: list[str]) -> dict[str, Any]:
    return {
        "program": f"soap-gpr {package_version()} import-gap",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": {file.path.name: _sha256(file.path)},
        "gap": {"label": file.label, "gap_version": file.version},
        "warnings": warnings,
    }


def describe(model: Model) -> list[str]:
    """One line for each term."""
    lines = []
    for t, term in enumerate(terms_of(model)):
        what = f"cutoff {term.entry['cutoff']:g} Å"
        if isinstance(term, FixedTerm):
            what = f"{', '.join(term.given_functions)}, {what}"
        else:
            what += f", {model.core.n_features(t)} features, sparse points {term.contents}"
        if "processes" in term.entry:
            n = sum(
                term.array(f"process.{k}.weights").size for k in range(len(term.entry["processes"]))
            )
            what += f", {n} permuted sparse points summed at run time"
        lines.append(f"Term {t + 1}: {term.entry['kind']}, {what}")
    return lines
