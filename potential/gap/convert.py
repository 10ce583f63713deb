# SPDX-License-Identifier: BSD-3-Clause
"""gap_fit's options as a fit.toml: every one of them is mapped, or named with what to do instead.

Both regressions are docs/theory.md eq. (13); the radial basis is not that of GAP, so that a fit
with the same numbers is of the same kind and not the same.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers, chemical_symbols

from potential.errors import SoapGprError
from potential.gap.descriptors import term_of
from potential.gap.read.option_text import bare, options, split
from potential.gap.read.values import number, sigmas, table, truth
from potential.schema.settings import declared
from potential.settings import KINDS

ALIASES = {
    "at_file": "atoms_filename",
    "default_sigma": "default_kernel_regularisation",
    "config_type_sigma": "config_type_kernel_regularisation",
    "sigma_per_atom": "kernel_regularisation_is_per_atom",
    "sigma_parameter_name": "kernel_regularisation_parameter_name",
    "core_param_file": "baseline_param_filename",
    "core_ip_args": "baseline_ip_args",
    "gp_file": "gap_file",
    "do_copy_at_file": "do_copy_atoms_file",
    "default_local_property_sigma": "default_kernel_regularisation_local_property",
    "hessian_delta": "hessian_displacement",
}
LABELS = {"energy": "energy", "force": "forces", "virial": "virial", "stress": "stress"}
# Names of what goes with the labels: ours, gap_fit's option, and what both take by default.
WITH_LABELS = {
    "force_mask_key": ("force_mask_parameter_name", "force_mask"),
    "sigma_key": ("kernel_regularisation_parameter_name", "sigma"),
}
# Options that say nothing about the fit itself, and why they are not needed.
NOT_NEEDED = {
    "do_copy_atoms_file": "a model holds a hash of its data, not a copy",
    "sparse_separate_file": "a model is one file",
    "sparse_use_actual_gpcov": "selection uses the kernel's own metric",
    "verbosity": "there is one level of output",
    "openmp_chunk_size": "threads take structures one by one",
    "do_ip_timing": "every fit prints its times",
    "condition_number_norm": "every fit prints its condition number",
    "mpi_blocksize_rows": "mpirun -n N soap-gpr fit needs no blocks",
    "mpi_blocksize_cols": "mpirun -n N soap-gpr fit needs no blocks",
    "mpi_print_all": "one rank prints",
    "template_file": "there are no molecular descriptors",
}
# Options that have no equivalent, and what comes nearest.
NO_EQUIVALENT = {
    "default_kernel_regularisation_local_property": "local properties are not fitted",
    "local_property0": "local properties are not fitted",
    "local_property_parameter_name": "local properties are not fitted",
    "local_property_mask_parameter_name": "local properties are not fitted",
    "hessian_displacement": "Hessians are not fitted",
    "hessian_parameter_name": "Hessians are not fitted",
    "config_type_parameter_name": "the name is config_type; rename it in the data",
    "baseline_param_filename": "write the pair potential as a table: [baseline] pair_table",
    "baseline_ip_args": "write the pair potential as a table: [baseline] pair_table, or zbl",
    "linear_system_dump_file": "soap-gpr fit --factor FILE keeps the triangular factor",
    "export_covariance": "soap-gpr fit --factor FILE keeps the triangular factor",
    "sparsify_only_no_fit": "soap-gpr fit --dry-run says what a fit would take",
    "dryrun": "soap-gpr fit --dry-run says what a fit would take",
}


@dataclass
class Conversion:
    """Settings laid out like fit.toml, the name for the model, and one sentence per doubt."""

    settings: dict[str, Any]
    model_file: str
    notes: list[str] = field(default_factory=list)


def convert(command: str, folder: str | Path = ".") -> Conversion:
    """From a gap_fit command line, or the text of its config_file.

    folder: where a config_file that the command names is, which then counts alone, as in gap_fit.
    Raises SoapGprError when what every fit needs is missing, or a value cannot be read.
    """
    alone, given = options(_without_shell(command))
    if "config_file" in given:
        path = Path(folder) / given["config_file"]
        alone, given = options(read_command(path))
    values = {ALIASES.get(key, key): value for key, value in given.items()}
    notes = [f"{word}: found a word without a value, left out" for word in alone]
    for key in ("atoms_filename", "gap", "default_kernel_regularisation"):
        if key not in values:
            raise SoapGprError(f"{key}: missing, gap_fit needs it")
    result = Conversion({}, _model_name(values), notes)
    result.settings["data"] = _data(values, notes)
    result.settings["terms"] = _terms(values.pop("gap"), values, notes)
    result.settings["baseline"] = _baseline(values, notes)
    result.settings["noise"] = _noise(values, notes)
    _solver(result.settings, values)
    for key in values:
        _explain(key, notes)
    result.notes = list(dict.fromkeys(notes))
    return result


def read_command(path: str | Path) -> str:
    """The text of a file. Raises SoapGprError when it cannot be read as text."""
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError):
        raise SoapGprError(f"config_file: {path}: cannot be read as text") from None


def _without_shell(command: str) -> str:
    """Without the ends of continued lines, what stands before the program, and redirections."""
    command = re.sub(r"\\[ \t]*\n", " ", command)
    program = re.search(r"(^|[\s/])(gap_fit|teach_sparse)\s", command)
    if program and "{" not in command[: program.start()]:
        command = command[program.end() :]
    return re.sub(r"\s(\d?>{1,2}(&\d|\s*\S+)|&\s*$)", " ", command)


def _model_name(values: dict[str, str]) -> str:
    name = values.pop("gap_file", "gap_new.xml")
    return name.removesuffix(".xml") + ".sgpr"


def _data(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    data: dict[str, Any] = {"train": values.pop("atoms_filename")}
    prefix = values.pop("parameter_name_prefix", "")
    for label, ours in LABELS.items():
        name = prefix + values.pop(f"{label}_parameter_name", "" if not prefix else label)
        if name:
            data[f"{ours}_key"] = name
    for key, (option, default) in WITH_LABELS.items():
        name = values.pop(option, "")
        if name:
            data[key] = prefix + name
        elif prefix:
            notes.append(f"parameter_name_prefix: {key} is for a {prefix}{default} in the data")
    if prefix:
        notes.append("parameter_name_prefix: the name of config_type takes none; rename it")
    if "virial_key" in data and "stress_key" in data:
        del data["stress_key"]
        notes.append("stress_parameter_name: left out, virial_parameter_name is there")
    if "forces_key" not in data:
        notes.append(
            "forces: gap_fit reads a column 'force', ours 'forces' unless forces_key names it"
        )
    return data


def _terms(text: str, values: dict[str, str], notes: list[str]) -> list[dict[str, Any]]:
    seed = values.pop("rnd_seed", None)
    terms = []
    for part in split(bare(text), ":"):
        term = term_of(bare(part), notes)
        if seed is not None and "seed" not in term and "seed" in declared(KINDS[term["kind"]]):
            term["seed"] = max(0, int(number("rnd_seed", seed)))
        terms.append(term)
    return _merged(terms, notes)


def _merged(terms: list[dict[str, Any]], notes: list[str]) -> list[dict[str, Any]]:
    """Terms that differ in n_sparse alone become one: ours are for all species."""
    kept = list[dict[str, Any]]()
    for term in terms:
        same = next((own for own in kept if own | {"n_sparse": 0} == term | {"n_sparse": 0}), None)
        if same is None:
            kept.append(term)
            continue
        same["n_sparse"] = max(same["n_sparse"], term["n_sparse"])
        notes.append(
            f"{term['kind']}: equal descriptors of several species are one term here, whose "
            "n_sparse is for each of them"
        )
    return kept


def _baseline(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    e0, method = values.pop("e0", None), values.pop("e0_method", "isolated")
    offset = number("e0_offset", values.pop("e0_offset", "0"))
    key = "isolated_atom_energies"
    if e0 is None:
        return {key: {"isolated": "isolated_atom", "average": "average"}.get(method, "fit")}
    if ":" in e0:
        return {key: {_symbol(z): v + offset for z, v in table("e0", e0).items()}}
    value = number("e0", e0) + offset
    notes.append(
        f"e0 = {value:g} eV for all species: write them as {{Si = {value:g}}}; "
        '"average" stands here instead'
    )
    return {key: "average"}


def _symbol(species: str) -> str:
    """Of a chemical symbol or an atomic number. Raises SoapGprError."""
    z = int(species) if species.isdecimal() else atomic_numbers.get(species, 0)
    if not 0 < z < len(chemical_symbols):
        raise SoapGprError(f"e0: found {species!r}, expected a chemical symbol or atomic number")
    return chemical_symbols[z]


def _noise(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    text = values.pop("default_kernel_regularisation")
    parts = text.replace(",", " ").split()
    noise: dict[str, Any] = sigmas("default_kernel_regularisation", parts)
    notes += [
        f"{key}: gap_fit's 0 is for labels that are not there; inf leaves them out"
        for key, value in noise.items()
        if math.isinf(value)
    ]
    per_atom = "kernel_regularisation_is_per_atom"
    if not truth(per_atom, values.pop(per_atom, "T")):
        notes.append(
            "kernel_regularisation_is_per_atom=F: ours grow with the root of the number of atoms; "
            "for equal ones write energy_sigma and virial_sigma into every frame"
        )
    by_type = values.pop("config_type_kernel_regularisation", "")
    parts = [part for part in by_type.split(":") if part.strip()]
    if len(parts) % 5:
        raise SoapGprError(
            f"config_type_sigma: found {len(parts)} parts, expected five for each config_type"
        )
    if parts:
        noise["config_type"] = {
            parts[k].strip(): sigmas("config_type_sigma", parts[k + 1 : k + 5])
            for k in range(0, len(parts), 5)
        }
    return noise


def _solver(settings: dict[str, Any], values: dict[str, str]) -> None:
    """The jitter of GAP is absolute, ours relative to the mean diagonal of K_MM."""
    jitter = number("sparse_jitter", values.pop("sparse_jitter", "1e-10"))
    largest = max(float(term["delta"]) for term in settings["terms"])
    settings["solver"] = {"jitter": jitter / largest**2}


def _explain(key: str, notes: list[str]) -> None:
    if key in NOT_NEEDED:
        notes.append(f"{key}: not needed, {NOT_NEEDED[key]}")
    elif key in NO_EQUIVALENT:
        notes.append(f"{key}: no equivalent; {NO_EQUIVALENT[key]}")
    else:
        notes.append(f"{key}: unknown to gap_fit, left out")
