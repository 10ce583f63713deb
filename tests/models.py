# SPDX-License-Identifier: BSD-3-Clause
"""Small random models and structures: every part of the evaluation counts, nothing is fitted."""

import copy
import functools

import ase
import numpy as np

from potential.basis import tabulate
from potential.basis.contraction import contracted, principal_components
from potential.basis.settings import SoapBasis
from potential.selection.columns import choose_columns
from potential.settings import BaselineSettings, PairTermSettings, TripletTermSettings, ZblSettings
from potential.structures.arrays import to_arrays
from potential.structures.structure import structure_from_atoms
from potential.terms import TrainingModel, build_model
from potential.terms.baseline import fixed_terms
from potential.terms.clusters import triplets as places_of
from potential.terms.columns import n_columns
from potential.terms.density_covariance import density_covariance
from potential.terms.features import features
from potential.terms.fixed_triplet import Process, fixed_triplet_draft
from potential.terms.pair import PairTerm
from potential.terms.symmetry import n_functions
from potential.terms.triplet import TripletTerm


def random_model(
    species=(1, 8), n_max=4, l_max=3, cutoff=3.5, n_sparse=5, zeta=2, seed=0, weight=1.0, n_terms=1
) -> TrainingModel:
    """SOAP terms; sparse points are environments of random atoms, weights are N(0, weight²).

    species: atomic numbers in any order; n_sparse per species; e0 is −Z eV. Each further term has a
    shorter cutoff, one more in l_max and zeta, and the Laplacian-eigenstate basis.
    """
    species = tuple(sorted(species))
    rng = np.random.default_rng(seed)
    terms = [tabulated_term(species, n_max, l_max, cutoff, zeta, "gto")]
    for t in range(1, n_terms):
        terms.append(tabulated_term(species, 5, l_max + t, cutoff * 0.75**t, zeta + t, "laplacian"))
    e0 = [-float(z) for z in species]
    without_points = build_model(species, e0, terms)
    atoms = random_structure(np.repeat(species, n_sparse), seed=seed)
    for t, term in enumerate(terms):
        points = features(without_points, t, atoms)
        term["sparse_points"] = {a: points[atoms.numbers == z] for a, z in enumerate(species)}
        term["weights"] = {a: rng.normal(scale=weight, size=n_sparse) for a in range(len(species))}
    return build_model(species, e0, terms)


def product_model(species=(1, 8), seed=0, n_sparse=30, n_factors=2) -> TrainingModel:
    """A product of kernels of different cutoffs, powers and offsets, beside a SOAP term."""
    species = tuple(sorted(species))
    rng = np.random.default_rng(seed)
    factors = [tabulated_term(species, 3, 2 - f % 2, 3.5 - f, 1 + f) for f in range(n_factors)]
    for f, factor in enumerate(factors):
        factor |= {"delta": 1.0, "offset": 0.2 * f}
    soap = tabulated_term(species, 3, 2, 3.0)
    product = {"kind": "product", "cutoff": 3.5, "delta": 0.7, "factors": factors}
    empty = build_model(species, [0.0] * len(species), [product, soap])
    atoms = random_structure(np.repeat(species, n_sparse), seed=seed)
    for t, term in enumerate((product, soap)):
        points = features(empty, t, atoms)
        term["sparse_points"] = {a: points[atoms.numbers == z] for a, z in enumerate(species)}
        term["weights"] = {a: rng.normal(size=n_sparse) for a in range(len(species))}
    return build_model(species, [-float(z) for z in species], [product, soap])


def general_model(species=(1, 8), seed=0) -> TrainingModel:
    """Three SOAP terms of the forms that only imported models have: a selection of products, some
    of them twice, and a real ζ; power spectra as they are and an offset; both, for one species."""
    species = tuple(sorted(species))
    rng = np.random.default_rng(seed)
    terms = [tabulated_term(species, 3, 2, 3.5, z, fading="cosine") for z in (2.5, 2, 1.5)]
    atoms = random_structure(np.repeat(species, 6), seed=seed)
    for t, term in enumerate(terms):
        term |= {"normalize": t == 0, "offset": 0.3 * t, "delta": 0.02**t}
        n_products = n_columns(term)
        if t != 1:
            term["features"] = np.append(rng.permutation(n_products)[: n_products // 2], [3, 3])
            term["feature_scale"] = rng.uniform(0.2, 2.0, len(term["features"]))
    empty = build_model(species, [0.0] * len(species), terms)
    for t, term in enumerate(terms):
        points = features(empty, t, atoms)
        chosen = species if t < 2 else species[:1]
        term["sparse_points"] = {a: points[atoms.numbers == z] for a, z in enumerate(chosen)}
        term["weights"] = {a: rng.normal(size=6) for a in range(len(chosen))}
    return build_model(species, [-float(z) for z in species], terms)


def kernel_model(
    zeta=2, selected=False, delta=1.3, n_sparse=6, species=(1, 8), seed=0, **kernel
) -> TrainingModel:
    """A SOAP term of any kernel, ``normalize`` and ``offset``, or of another ``representation``,
    with a selection of products if wanted, some of them twice; weights are N(0, 1)."""
    rng = np.random.default_rng(seed)
    term = tabulated_term(species, 3, 2, 3.5, zeta) | {"delta": delta, **kernel}
    if selected:
        n_products = n_columns(term)
        term["features"] = np.append(rng.permutation(n_products)[: n_products // 2], [3, 3])
        term["feature_scale"] = rng.uniform(0.2, 2.0, len(term["features"]))
    atoms = random_structure(np.repeat(species, n_sparse), seed=seed)
    points = features(build_model(species, [0.0] * len(species), [term]), 0, atoms)
    term["sparse_points"] = {a: points[atoms.numbers == z] for a, z in enumerate(species)}
    term["weights"] = {a: rng.normal(size=n_sparse) for a in range(len(species))}
    return build_model(species, [-float(z) for z in species], [term])


def contracted_model(n_channels=3, species=(1, 8), basis="gto", seed=0) -> TrainingModel:
    """A SOAP term of the leading n_channels combinations of its channels, all as they are for None;
    weights are N(0, 1)."""
    species, rng = tuple(sorted(species)), np.random.default_rng(seed)
    e0 = [-float(z) for z in species]
    term = tabulated_term(species, n_max=5, basis=basis)
    atoms = random_structure(np.repeat(species, 5), seed=seed)
    if n_channels is not None:
        seen = [structure_from_atoms(atoms)]
        covariance = density_covariance(build_model(species, e0, [term]), 0, seen)
        term |= contracted(term, principal_components(covariance, n_channels).matrices)
    points = features(build_model(species, e0, [term]), 0, atoms)
    term["sparse_points"] = {a: points[atoms.numbers == z] for a, z in enumerate(species)}
    term["weights"] = {a: rng.normal(size=5) for a in range(len(species))}
    return build_model(species, e0, [term])


SYMMETRY_FUNCTIONS = {
    "g1": True,
    "g2": [[0.5, 0.0], [2.0, 1.5]],
    "g3": [1.2],
    "g4": [[0.02, 1, 1], [0.02, 2.5, -1], [0.1, 4, -0.7]],
    "g5": [[0.05, 2, 1], [0.02, 1, 1]],
}


def symmetry_model(
    zeta=2, selected=False, n_sparse=6, species=(1, 8), seed=0, **kernel
) -> TrainingModel:
    """A term of symmetry functions of all kinds, cutoff 3.5 Å, as ``kernel_model`` is of SOAP."""
    rng = np.random.default_rng(seed)
    term = {"kind": "acsf", "cutoff": 3.5, **SYMMETRY_FUNCTIONS, "zeta": zeta, "delta": 1.3}
    term |= {"normalize": True, **kernel}
    if selected:
        n = n_functions(term, len(species))
        term["features"] = np.append(rng.permutation(n)[: n // 2], [3, 3])
        term["feature_scale"] = rng.uniform(0.2, 2.0, len(term["features"]))
    atoms = random_structure(np.repeat(species, n_sparse), seed=seed)
    points = features(build_model(species, [0.0] * len(species), [term]), 0, atoms)
    term["sparse_points"] = {a: points[atoms.numbers == z] for a, z in enumerate(species)}
    term["weights"] = {a: rng.normal(size=n_sparse) for a in range(len(species))}
    return build_model(species, [-float(z) for z in species], [term])


def selected_model(n=15, recouple=False, zeta=2, n_sparse=6, **kernel):
    """A SOAP term with n of its features, chosen on random atoms, recoupled if wanted; kernel:
    entries of the term."""
    species, rng = (1, 8), np.random.default_rng(0)
    term = tabulated_term(species, 3, 2, 3.5, zeta) | kernel
    atoms = random_structure(np.repeat(species, 40), seed=3)
    X = features(build_model(species, [0.0, 0.0], [term]), 0, atoms)
    found = choose_columns(X, n=n)
    term |= {"features": found.chosen, "feature_scale": np.ones(n)}
    if recouple:
        term["recoupling"] = found.recoupling()
    points = features(build_model(species, [0.0, 0.0], [term]), 0, atoms)
    own = {a: points[atoms.numbers == z][:n_sparse] for a, z in enumerate(species)}
    term["sparse_points"] = own
    term["weights"] = {a: rng.normal(size=n_sparse) for a in range(2)}
    return build_model(species, [-1.0, -8.0], [term])


def selected_by_species(full, recouple=False, few=True):
    """The first term of a model of H and O with a selection of random features for each species,
    few or most of them, recoupled by random matrices if wanted."""
    rng, n = np.random.default_rng(1), full.core.n_features(0)
    counts = {0: 9, 1: 17} if few else {0: n - 4, 1: n - 5}
    term = dict(full.terms[0]) | {
        "features": {a: rng.permutation(n)[:count] for a, count in counts.items()},
        "feature_scale": {a: rng.uniform(0.5, 2.0, count) for a, count in counts.items()},
    }
    if recouple:
        term["recoupling"] = {a: rng.normal(size=(count,) * 2) for a, count in counts.items()}
    for key, name in {"tables": "table", "central": "central"}.items():
        if f"term0.{name}.0" in full.arrays:
            term[key] = {a: full.arrays[f"term0.{name}.{a}"] for a in range(2)}
    atoms = random_structure([8] * 6 + [1] * 6)
    points = features(build_model([1, 8], [0.0, 0.0], [term]), 0, atoms)
    term["sparse_points"] = {a: points[atoms.numbers == z] for a, z in enumerate((1, 8))}
    term["weights"] = {a: rng.normal(size=6) for a in range(2)}
    return build_model([1, 8], [-1.0, -8.0], [term])


def body_order_model(species=(1, 8), soap=True, triplets=True, seed=0) -> TrainingModel:
    """Pair terms with random weights, ZBL and, if wanted, SOAP and triplets, to 3.5 Å."""
    species = tuple(sorted(species))
    rng = np.random.default_rng(seed)
    atoms = random_structure(np.repeat(species, 4), seed=seed)
    settings = PairTermSettings(cutoff=3.0, cutoff_width=0.8, length_scale=0.5, n_sparse=6)
    pairs, _ = PairTerm.draft(settings, species, [atoms])
    pairs["weights"] = {
        p: rng.normal(scale=0.1, size=len(points)) for p, points in pairs["sparse_points"].items()
    }
    fixed = fixed_terms(BaselineSettings(zbl=ZblSettings(inner=1.2, outer=2.5)), species)
    terms = [pairs, *fixed]
    if soap:
        model = random_model(species, seed=seed)
        terms.insert(0, _entry(model))
    if triplets:
        terms.append(_triplets(species, seed))
    return build_model(species, [-float(z) for z in species], terms)


def triplet_model(species=(1, 8), known=None, seed=0, shared=False) -> TrainingModel:
    """A triplet term with random weights, cutoff 3 Å; with known(p), functions of three distances
    by their place, a fixed term with the third factor and cutoff 2.8 Å as well, of shared energy if
    wanted."""
    species = tuple(sorted(species))
    terms = [_triplets(species, seed)]
    if known is not None:
        functions = {p: known(p) for p in range(len(places_of(len(species))))}
        own = fixed_triplet_draft(
            "known", 2.8, 0.7, species, functions, "cluster", shared_energy=shared
        )
        terms.append(own)
    return build_model(species, [-float(z) for z in species], terms)


def process_model(species=(1, 8), seed=0, shared=False) -> TrainingModel:
    """A fixed triplet term of processes alone, cutoff 3 Å: both kernels, distances and angles, with
    a norm and without; neighbours are told apart by their order. Of shared energy if wanted."""
    rng = np.random.default_rng(seed)
    options = [
        {
            "kernel": "pp",
            "angle": False,
            "order": [0, 1, 2],
            "permutations": [[0, 1, 2], [1, 0, 2]],
        },
        {
            "kernel": "ard_se",
            "angle": False,
            "order": [2, 0, 1],
            "permutations": [[0, 1, 2], [0, 2, 1]],
        },
        {"kernel": "pp", "angle": True, "order": [0, 1, 2], "permutations": []},
        {"kernel": "ard_se", "angle": True, "order": [0, 1, 2], "permutations": []},
    ]
    processes = [
        Process(
            function=p,
            length_scales=[4.0, 3.0, 3.0] if own["angle"] else [2.0, 2.0, 2.0],
            constant=0.1,
            points=rng.uniform(0, 2, (3, 11)),
            weights=rng.normal(size=11),
            **own,
        )
        for p in range(len(places_of(len(species))))
        for own in options[p % 2 :: 2]
    ]
    term = fixed_triplet_draft(
        "processes",
        3.0,
        0.8,
        species,
        {},
        shared_energy=shared,
        ordered=True,
        processes=processes,
    )
    return build_model(species, [-float(z) for z in species], [term])


def _triplets(species, seed) -> dict:
    rng = np.random.default_rng(seed)
    atoms = random_structure(np.repeat(species, 4), seed=seed)
    settings = TripletTermSettings(cutoff=3.0, cutoff_width=0.8, length_scale=0.8, n_sparse=7)
    term, _ = TripletTerm.draft(settings, species, [structure_from_atoms(atoms)])
    term["weights"] = {
        p: rng.normal(scale=0.3, size=len(points)) for p, points in term["sparse_points"].items()
    }
    return term


def derivative_model(structures, zeta=3, species=(1, 8), **more):
    """The model whose functions are the derivatives by all coordinates of these structures; more:
    of its term."""
    term = tabulated_term(species, zeta=zeta) | {"sparse_basis": "derivatives"} | more
    term["structures"] = to_arrays([structure_from_atoms(atoms) for atoms in structures])
    return build_model(species, [0.0] * len(species), [term])


def structure_rows(model, atoms, gradients=True) -> np.ndarray:
    """Rows of the design matrix (1 + 3N + 6, n_weights), or the first alone."""
    return model.rows(model.environments(atoms), gradients)


def _entry(model) -> dict:
    """The first term of a SOAP model, as ``build_model`` takes it."""
    arrays = {"tables": "table", "central": "central"}
    arrays |= {"sparse_points": "sparse_points", "weights": "weights"}
    n_species = range(len(model.species))
    return model.terms[0] | {
        key: {a: model.arrays[f"term0.{name}.{a}"] for a in n_species}
        for key, name in arrays.items()
    }


def tabulated_term(
    species, n_max=4, l_max=3, cutoff=3.5, zeta=2, basis="gto", fading="smooth"
) -> dict:
    """A SOAP term without sparse points, which the caller may change."""
    return copy.deepcopy(_tabulated(tuple(species), n_max, l_max, cutoff, zeta, basis, fading))


@functools.cache
def _tabulated(species, n_max, l_max, cutoff, zeta, basis, fading):
    """The tests ask for few different tables, hundreds of times."""
    soap = SoapBasis(
        cutoff=cutoff,
        cutoff_width=0.5 * cutoff,
        cutoff_function=fading,
        n_max=n_max,
        l_max=l_max,
        basis=basis,
    )
    return {
        "kind": "soap",
        "cutoff": cutoff,
        "l_max": l_max,
        "zeta": zeta,
        "delta": 1.3,
        "normalize": True,
        **tabulate(soap, species),
    }


def random_structure(numbers, spacing=1.9, seed=0, cell=None, pbc=True) -> ase.Atoms:
    """Atoms of the given numbers, shuffled on a displaced grid of about `spacing` Å.

    cell: (3, 3) Å, default a cube that the grid fills, where no two atoms come closer than 0.6
    spacings. All atoms lie inside the cell.
    """
    rng = np.random.default_rng(seed)
    side = int(np.ceil(len(numbers) ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    grid = rng.permutation(grid)[: len(numbers)] + rng.uniform(0.1, 0.5, (len(numbers), 3))
    cell = side * spacing * np.eye(3) if cell is None else np.asarray(cell, dtype=float)
    return ase.Atoms(rng.permutation(numbers), positions=grid / side @ cell, cell=cell, pbc=pbc)
