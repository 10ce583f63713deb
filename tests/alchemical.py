# SPDX-License-Identifier: BSD-3-Clause
"""Models with an alchemical map and coupled centres, and the slow twin of both."""

import numpy as np
import slow_twin
from models import random_structure

from potential.basis import SoapBasis, tabulate
from potential.basis.contraction import principal_components
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel, build_model
from potential.terms.density_covariance import contracted_draft, density_covariance
from potential.terms.features import features

SPECIES = (1, 8, 29, 79)


def alchemical_model(
    dimensions=2,
    centers="separate",
    zeta=2,
    species=SPECIES,
    n_sparse=5,
    seed=0,
    l_max=2,
    alchemy=None,
    basis=(),
    **kernel,
) -> TrainingModel:
    """One SOAP term with cutoff 3.5 Å; n_sparse points of each species, weights are N(0, 1).

    alchemy: other settings of it, {} for none; basis: of SoapBasis; kernel: of the entry, such as
    offset.
    """
    species = tuple(sorted(species))
    rng = np.random.default_rng(seed)
    own = {"dimensions": dimensions} if alchemy is None else alchemy or None
    soap = SoapBasis(cutoff=3.5, cutoff_width=1.5, n_max=3, l_max=l_max, alchemy=own, **dict(basis))
    term = {"kind": "soap", "cutoff": 3.5, "l_max": l_max, "zeta": zeta, "delta": 1.3}
    term |= {"normalize": True, **tabulate(soap, species), **kernel}
    term |= {"centers": centers} if centers != "separate" else {}
    atoms = random_structure(np.repeat(species, n_sparse), seed=seed)
    points = features(build_model(species, [0.0] * len(species), [term]), 0, atoms)
    of_atom = np.searchsorted(species, atoms.numbers)
    if centers == "separate":
        sets = {a: points[of_atom == a] for a in range(len(species))}
    else:
        sets, term["sparse_species"] = {0: points}, of_atom
    term["sparse_points"] = sets
    term["weights"] = {a: rng.normal(size=len(X)) for a, X in sets.items()}
    return build_model(species, [-float(z) for z in species], [term])


def contracted_alchemical_model(
    n_channels, centers="alchemical", **model
) -> tuple[TrainingModel, TrainingModel]:
    """``alchemical_model`` with the leading n_channels combinations of its channels, and as it
    is."""
    plain = alchemical_model(centers=centers, **model)
    species, tables = plain.species, tables_of(plain)
    draft = dict(plain.terms[0]) | tables
    atoms = random_structure(np.repeat(species, 5), seed=0)
    covariance = density_covariance(plain, 0, [structure_from_atoms(atoms)])
    draft = contracted_draft(draft, principal_components(covariance, n_channels))
    X = features(build_model(species, [0.0] * len(species), [draft]), 0, atoms)
    center = np.searchsorted(species, atoms.numbers)
    if centers == "separate":
        draft["sparse_points"] = {a: X[center == a] for a in range(len(species))}
    else:
        draft |= {"sparse_points": {0: X}, "sparse_species": center}
    weights = {a: plain.arrays[f"term0.weights.{a}"] for a in draft["sparse_points"]}
    return build_model(species, [-float(z) for z in species], [draft | {"weights": weights}]), plain


def dense(tables):
    """The same tables without factors: those of every species feed all channels, eq. (3e)."""
    u, l_max = tables["alchemy"], len(tables["n_channels"]) - 1
    sizes = [n // u.shape[1] for n in tables["n_channels"]]
    begins = np.cumsum([0, *sizes])
    full, central = {}, {}
    for a, k in enumerate(tables["table_of"]):
        own = tables["tables"][k]
        blocks = [own[:, :, begins[l] : begins[l + 1]] for l in range(l_max + 1)]
        full[a] = np.concatenate([u_J * S for S in blocks for u_J in u[a]], axis=2)
        central[a] = np.concatenate([u_J * tables["central"][k] for u_J in u[a]])
    n = range(len(u))
    return {
        "n_channels": tables["n_channels"],
        "channel_begin": [[0] * len(sizes) for _ in n],
        "channel_end": [tables["n_channels"] for _ in n],
        "segments": tables["segments"],
        "tables": full,
        "central": central,
    }


def tables_of(model):
    """What ``tabulate`` made of the first term."""
    entry, arrays = model.terms[0], model.arrays
    n = max(entry["table_of"]) + 1
    return {
        **{key: entry[key] for key in ("n_channels", "segments", "table_of")},
        "tables": {k: arrays[f"term0.table.{k}"] for k in range(n)},
        "central": {k: arrays[f"term0.central.{k}"] for k in range(n)},
        "alchemy": arrays["term0.alchemy"],
    }


def energies(model, atoms):
    """ε_i (N,) without e0, each equation a loop."""
    entry, arrays = model.terms[0], model.arrays
    species = np.searchsorted(model.species, atoms.numbers)
    tables = dense(tables_of(model))
    p = slow_twin.features(
        tables, entry["l_max"], species, atoms.positions, atoms.cell.array, atoms.pbc
    )
    u = arrays["term0.alchemy"]
    found = []
    for a, p_i in zip(species, p, strict=True):
        p_hat = slow_twin.normalise(p_i) if entry["normalize"] else p_i
        total = 0.0
        for s, points in model.sparse_points(0).items():
            weights = arrays[f"term0.weights.{s}"]
            owners = arrays.get("term0.sparse_species", np.full(len(points), s))
            for b, point, w in zip(owners, points, weights, strict=True):
                kappa = float(a == b)
                if entry.get("centers") == "shared":
                    kappa = 1.0
                if entry.get("centers") == "alchemical":
                    kappa = u[a] @ u[b] / np.sqrt((u[a] @ u[a]) * (u[b] @ u[b]))
                total += w * kappa * (p_hat @ point + entry.get("offset", 0.0)) ** entry["zeta"]
        found.append(entry["delta"] ** 2 * total)
    return np.array(found)
