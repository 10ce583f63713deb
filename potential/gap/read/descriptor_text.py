# SPDX-License-Identifier: BSD-3-Clause
"""The descriptor of a gpCoordinates: its name and options, read as QUIP reads them.

QUIP ignores keys that it does not know and words that are no options; here a warning names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from potential.errors import SoapGprError
from potential.gap.read.option_text import options
from potential.gap.read.values import number, truth

# What gap_fit reads of a descriptor's options for itself, and evaluation does not need.
OF_THE_FIT = {
    "delta",
    "energy_scale",
    "f0",
    "n_sparse",
    "config_type_n_sparse",
    "sparse_method",
    "lengthscale_factor",
    "theta_fac",
    "lengthscale_uniform",
    "theta_uniform",
    "lengthscale_file",
    "theta_file",
    "sparse_file",
    "mark_sparse_atoms",
    "add_species",
    "covariance_type",
    "soap_exponent",
    "zeta",
    "print_sparse_index",
    "unique_hash_tolerance",
    "unique_descriptor_tolerance",
    "xml_version",
}


class AsWritten(str):
    """Default of a text whose case matters."""


# default and type of each option; a tuple holds several integers, a list several numbers
SOAP: dict[str, Any] = {
    "cutoff": float,
    "cutoff_transition_width": 0.5,
    "cutoff_dexp": 0,
    "cutoff_scale": 1.0,
    "cutoff_rate": 1.0,
    "l_max": int,
    "n_max": int,
    "atom_sigma": float,
    "central_weight": 1.0,
    "central_reference_all_species": None,
    "average": False,
    "diagonal_radial": False,
    "covariance_sigma0": 0.0,
    "normalise": True,
    "basis_error_exponent": 10.0,
    "n_z": 1,
    "z": (0,),
    "n_species": 1,
    "species_z": (0,),
    "nu_r": 2,
    "nu_s": 2,
    "z_mix": False,
    "r_mix": False,
    "sym_mix": False,
    "coupling": True,
    "k": 0,
    "mix_shift": 0,
    "z_map": "",
    "radial_basis": "equispaced_gauss",
}
SOAP_TURBO: dict[str, Any] = {
    "rcut_hard": [],
    "cutoff": [],
    "rcut_soft": [],
    "cutoff_transition_width": 0.5,
    "nf": 4.0,
    "l_max": int,
    "alpha_max": [],
    "n_max": [],
    "atom_sigma": [],
    "atom_sigma_r": [],
    "atom_sigma_t": [],
    "atom_sigma_r_scaling": [],
    "atom_sigma_t_scaling": [],
    "amplitude_scaling": [],
    "central_weight": [],
    "radial_enhancement": 0,
    "basis": AsWritten("poly3"),
    "scaling_mode": AsWritten("polynomial"),
    "compress_file": AsWritten(),
    "compress_mode": AsWritten(),
    "n_species": 1,
    "species_z": (),
    "central_index": 1,
}
DISTANCE_2B: dict[str, Any] = {
    "cutoff": float,
    "cutoff_transition_width": 0.5,
    "z1": 0,
    "z2": 0,
    "resid_name": "",
    "only_intra": False,
    "only_inter": False,
    "n_exponents": 1,
    "exponents": (),
    "tail_exponent": 0,
    "tail_range": 1.0,
}
DISTANCE_NB: dict[str, Any] = {
    "cutoff": float,
    "cutoff_transition_width": 0.5,
    "order": int,
    "compact_clusters": None,
    "z": (),
}
ANGLE_3B: dict[str, Any] = {
    "cutoff": float,
    "cutoff_transition_width": 0.5,
    "z_center": 0,
    "z1": 0,
    "z2": 0,
}
KNOWN = {
    "soap": SOAP,
    "soap_turbo": SOAP_TURBO,
    "distance_2b": DISTANCE_2B,
    "distance_nb": DISTANCE_NB,
    "angle_3b": ANGLE_3B,
}
ALIASES = {"atom_gaussian_width": "atom_sigma", "normalize": "normalise"}


def parse(text: str, where: str) -> tuple[str, dict[str, Any], list[str]]:
    """Name in lower case, options with all defaults filled in, and warnings.

    Raises SoapGprError for a descriptor that cannot be imported, and for values of wrong types.
    """
    try:
        alone, given = options(text)
    except SoapGprError as error:
        raise SoapGprError(f"{where}: {error}") from None
    name = name_among(alone)
    if name is None:
        raise SoapGprError(
            f"{where}: the descriptor {' '.join(alone) or repr(text[:60])} cannot be imported, "
            "expected one of soap, soap_turbo, distance_2b, distance_Nb or angle_3b"
        )
    known = dict(KNOWN[name])
    aliases = ALIASES | ({"z": "z_center"} if name == "angle_3b" else {})
    warnings, values = list[str](), dict[str, Any]()
    for word in alone:
        if word.lower() == name:
            continue
        if isinstance(known.get(word.lower(), ""), bool | None):
            given[word.lower()] = "T"
        else:
            warnings.append(f"{where}: {word!r} in the descriptor is no option; QUIP ignores it")
    for key, value in given.items():
        key = aliases.get(key, key)
        if key in known:
            values[key] = _value(known[key], value, f"{where}: {key}")
        elif key not in OF_THE_FIT:
            warnings.append(f"{where}: QUIP ignores the option {key}={value}")
    for key, default in known.items():
        if default in (int, float) and key not in values:
            raise SoapGprError(f"{where}: the descriptor lacks {key}")
    return name, known | values, warnings


def name_among(words: Sequence[str]) -> str | None:
    """The name of the descriptor in lower case among words without a value, wherever it stands;
    None when there is none or more than one."""
    found = {word.lower() for word in words} & KNOWN.keys()
    return found.pop() if len(found) == 1 else None


def _value(default: Any, text: str, where: str) -> Any:
    if isinstance(default, bool | None):
        return truth(where, text)
    if isinstance(default, str):
        return text.strip() if isinstance(default, AsWritten) else text.strip().lower()
    numbers = [number(where, part) for part in text.replace(",", " ").split()]
    if isinstance(default, list):
        return tuple(numbers)
    if not isinstance(default, tuple) and len(numbers) != 1:
        raise SoapGprError(f"{where}: found {text!r}, expected one number")
    if default is float or isinstance(default, float):
        return numbers[0]
    if any(value != int(value) for value in numbers):
        raise SoapGprError(f"{where}: found {text!r}, expected integers")
    integers = tuple(int(value) for value in numbers)
    return integers if isinstance(default, tuple) else integers[0]


def species_named(values: Mapping[str, Any]) -> set[int]:
    """Atomic numbers that the options name."""
    found = {values.get(key, 0) for key in ("z1", "z2", "z_center")}
    for key in ("z", "species_z"):
        found |= set(values.get(key, ()))
    return found - {0}


def takes_any(values: Mapping[str, Any]) -> bool:
    """Whether some option stands for any species, with 0 or because it is not given."""
    lists = [values[key] or (0,) for key in ("z", "species_z") if key in values]
    singles = [(values[key],) for key in ("z1", "z2", "z_center") if key in values]
    return any(0 in numbers for numbers in lists + singles)
