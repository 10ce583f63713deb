# SPDX-License-Identifier: BSD-3-Clause
"""One descriptor of gap_fit as one of our [[terms]]."""

from __future__ import annotations

from typing import Any

from potential.basis.cutoff import COSINE
from potential.errors import SoapGprError
from potential.gap.read.descriptor_text import KNOWN, OF_THE_FIT, name_among
from potential.gap.read.option_text import options
from potential.gap.read.values import count, number, table, truth

ALIASES = {
    "energy_scale": "delta",
    "theta_fac": "lengthscale_factor",
    "theta_uniform": "lengthscale_uniform",
    "theta_file": "lengthscale_file",
    "zeta": "soap_exponent",
    "atom_gaussian_width": "atom_sigma",
    "normalize": "normalise",
}
METHODS = {
    "cur_points": "cur",
    "cur_covariance": "cur",
    "random": "random",
    "kmeans": "kmeans",
    "cluster": "kmeans",
    "fuzzy": "kmeans",
    "covariance": "fps",
    "pivot": "fps",
    "uniform": "fps",
    "none": "fps",
}
# Options of soap at the value that ours has, as far as the radial basis allows.
SAME_TRUTH = {
    "normalise": True,
    "average": False,
    "diagonal_radial": False,
    "central_reference_all_species": False,
    "r_mix": False,
    "z_mix": False,
}
SAME_NUMBER = {"covariance_sigma0": 0.0, "nu_r": 2.0, "nu_s": 2.0}
SAME_TEXT = {"radial_basis": ("", "equispaced_gauss"), "z_map": ("",)}
# Species come from the data; the rest does not change a fit.
IGNORED = {
    "add_species",
    "n_species",
    "species_z",
    "n_z",
    "z",
    "z1",
    "z2",
    "f0",
    "basis_error_exponent",
}
# Options of soap_turbo: values by species, what it shares with soap, and what ours has none of.
TURBO_LISTS = {"alpha_max", "atom_sigma_r"}
TURBO_SHARED = {"l_max", "soap_exponent", "delta", "covariance_type", "n_sparse", "sparse_method"}
TURBO_SHARED |= {"sparse_file", "config_type_n_sparse"}
IGNORED |= {"print_sparse_index", "mark_sparse_atoms", "unique_hash_tolerance", "coupling", "k"}
IGNORED |= {
    "unique_descriptor_tolerance",
    "compact_clusters",
    "sym_mix",
    "mix_shift",
    "xml_version",
    "central_index",
}


def term_of(text: str, notes: list[str]) -> dict[str, Any]:
    """A [[terms]] table; doubts go to notes. Raises SoapGprError for a descriptor without one."""
    alone, given = options(text)
    name, values = name_among(alone), {ALIASES.get(key, key): value for key, value in given.items()}
    order = count("order", values.pop("order", "2"))
    if name == "soap":
        term = soap_term(values, notes)
    elif name == "soap_turbo":
        term = turbo_term(values, notes)
    elif name == "distance_2b" or (name == "distance_nb" and order == 2):
        term = _function(name, "pair", values, 2.0, notes)
    elif name == "angle_3b" or (name == "distance_nb" and order == 3):
        term = _function(name, "triplet", values, 2.0 if name == "angle_3b" else 1.0, notes)
    else:
        raise SoapGprError(
            f"gap: the descriptor {' '.join(alone) or repr(text[:60])} has no equivalent, expected "
            "one of soap, soap_turbo, distance_2b, angle_3b, or distance_Nb of order 2 or 3"
        )
    for key in values:
        if key not in IGNORED:
            known = key in OF_THE_FIT or key in KNOWN[name]
            why = "no equivalent" if known else "gap_fit ignores it too"
            notes.append(f"{name} {key}: {why}, left out")
    for word in alone:
        if word.lower() not in IGNORED | {name}:
            notes.append(f"{name} {word}: found a word without a value, left out")
    return term


def soap_term(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    """Of kind soap; takes what it uses out of values."""
    _kernel(values, "soap", ("dot_product",), notes)
    zeta = number("zeta", values.pop("soap_exponent", "1"))
    if zeta != int(zeta) or zeta < 1:
        notes.append(f"soap zeta: {zeta:g} is not an integer, rounded")
    term: dict[str, Any] = {
        "kind": "soap",
        "cutoff": _positive("soap", values, "cutoff"),
        "cutoff_width": number(
            "cutoff_transition_width", values.pop("cutoff_transition_width", "0.5")
        ),
        "cutoff_function": COSINE,
        "n_max": count("soap n_max", _needed("soap", values, "n_max")),
        "l_max": count("soap l_max", _needed("soap", values, "l_max")),
        "atom_sigma": _positive("soap", values, "atom_sigma"),
        "zeta": max(1, round(zeta)),
        "radial_scaling": _scaling(values, notes),
        "central_weight": number("central_weight", values.pop("central_weight", "1")),
        "delta": _positive("soap", values, "delta"),
    }
    term |= _sparse(values, notes)
    for key in [*SAME_TRUTH, *SAME_NUMBER, *SAME_TEXT]:
        if key in values and not _is_ours(key, values.pop(key)):
            notes.append(f"soap {key}: no equivalent, a fit here has gap_fit's default of it")
    return term


def _is_ours(key: str, text: str) -> bool:
    if key in SAME_TRUTH:
        return truth(f"soap {key}", text) == SAME_TRUTH[key]
    if key in SAME_NUMBER:
        return number(f"soap {key}", text) == SAME_NUMBER[key]
    return text.lower() in SAME_TEXT[key]


def turbo_term(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    """The soap term that comes nearest; takes what it uses out of values."""
    lists = {key: values.pop(key).split() for key in list(values) if key in TURBO_LISTS}
    hard = values.pop("rcut_hard", values.pop("cutoff", ""))
    width = number("cutoff_transition_width", values.pop("cutoff_transition_width", "0.5"))
    if "rcut_soft" in values:
        width = number("rcut_hard", hard) - number("rcut_soft", values.pop("rcut_soft"))
    n_max = lists.get("alpha_max") or [values.pop("n_max", "")]
    sigmas = [number("soap_turbo atom_sigma_r", text) for text in lists.get("atom_sigma_r", [])]
    if not sigmas:
        raise SoapGprError("gap: soap_turbo atom_sigma_r: missing, gap_fit needs it")
    notes.append(
        "soap_turbo: soap comes nearest, with one width of atoms in all directions and at all "
        "distances; import-gap runs a fitted soap_turbo as it is"
    )
    if len(set(sigmas)) > 1:
        notes.append(
            "soap_turbo atom_sigma_r: of several the mean; atom_sigma = {El = ...} is ours"
        )
    return soap_term(
        {
            "cutoff": hard,
            "cutoff_transition_width": repr(round(width, 12)),
            "n_max": str(max(int(number("soap_turbo alpha_max", text)) for text in n_max)),
            "atom_sigma": repr(sum(sigmas) / len(sigmas)),
            **{key: values.pop(key) for key in list(values) if key in TURBO_SHARED},
        },
        notes,
    )


def _function(
    name: str, kind: str, values: dict[str, str], counted: float, notes: list[str]
) -> dict[str, Any]:
    """Of kind pair or triplet; ``counted``: how often gap_fit counts each pair or triplet more
    often than ours, by which the energies, and so delta, are larger."""
    _kernel(values, name, ("ard_se", "gaussian", "pp"), notes)
    term: dict[str, Any] = {
        "kind": kind,
        "cutoff": _positive(name, values, "cutoff"),
        "cutoff_width": number(
            "cutoff_transition_width", values.pop("cutoff_transition_width", "0.5")
        ),
        "cutoff_function": COSINE,
        "delta": counted * _positive(name, values, "delta"),
        "n_sparse": count(f"{name} n_sparse", values.pop("n_sparse", "0")) or 20,
    }
    if any([values.pop(key, "0") not in ("", "0") for key in ("z", "z1", "z2", "z_center")]):
        notes.append(f"{name}: ours takes all species, not those of Z alone")
    uniform = number("theta_uniform", values.pop("lengthscale_uniform", "0"))
    values.pop("sparse_method", None)  # pairs are equispaced, triplets farthest points
    if uniform > 0:
        term["length_scale"] = uniform
    else:
        values.pop("lengthscale_factor", None)
        notes.append(
            f"{name} theta: a part of the data's range, which ours does not know; the default "
            "length_scale stands"
        )
    if kind == "triplet":
        notes.append(
            f"{name}: ours is a Gaussian process of the three distances with one length_scale"
        )
    return term


def _kernel(values: dict[str, str], name: str, known: tuple[str, ...], notes: list[str]) -> None:
    kind = values.pop("covariance_type", known[0]).lower()
    if kind not in known:
        notes.append(f"{name} covariance_type={kind}: no equivalent, expected {known[0]}")
    elif kind == "pp":
        notes.append(f"{name} covariance_type=pp: ours is a Gaussian")


def _sparse(values: dict[str, str], notes: list[str]) -> dict[str, Any]:
    method = values.pop("sparse_method", "random").lower()
    n_sparse = count("soap n_sparse", values.pop("n_sparse", "0"))
    quotas = table("config_type_n_sparse", values.pop("config_type_n_sparse", ""))
    total = max(n_sparse, int(sum(quotas.values())))
    file = values.pop("sparse_file", None)
    if method in ("file", "index_file"):
        notes.append(
            f"soap sparse_method={method}: ours takes structures, not features or indices; write "
            f"them to a file and name it as sparse_file (found {file})"
        )
    elif METHODS.get(method, method) != method and method not in ("cur_points",):
        notes.append(f"soap sparse_method={method}: {METHODS.get(method, 'fps')} comes nearest")
    sparse: dict[str, Any] = {
        "n_sparse": total or 1000,
        "sparse_method": METHODS.get(method, "fps"),
    }
    if quotas:
        sparse["n_sparse_config_type"] = {name: int(n) for name, n in quotas.items()}
    return sparse


def _scaling(values: dict[str, str], notes: list[str]) -> dict[str, float]:
    """GAP's rate / (rate + (r/scale)^dexp) is docs/theory.md eq. (1b)."""
    exponent = number("cutoff_dexp", values.pop("cutoff_dexp", "0"))
    scale = number("cutoff_scale", values.pop("cutoff_scale", "1"))
    rate = number("cutoff_rate", values.pop("cutoff_rate", "1"))
    if exponent == 0:
        return {"exponent": 0.0}
    if rate == 0:
        notes.append("soap cutoff_rate=0: ours needs a rate above 0, 0.01 stands")
    return {"scale": scale, "exponent": exponent, "rate": rate or 0.01}


def _needed(name: str, values: dict[str, str], key: str) -> str:
    if key not in values:
        raise SoapGprError(f"gap: {name} {key}: missing, gap_fit needs it")
    return values.pop(key)


def _positive(name: str, values: dict[str, str], key: str) -> float:
    text = _needed(name, values, key)
    value = number(f"{name} {key}", text)
    if value <= 0:
        raise SoapGprError(f"{name} {key}: found {text!r}, expected a number above 0")
    return value
