# SPDX-License-Identifier: BSD-3-Clause
"""Models with random vectors and tensors, and their values the slow way (docs/theory.md eq. 26)."""

import json

import ase
import numpy as np
from models import random_structure

from potential import _core
from potential.model import Model
from potential.model.targets import Target
from potential.tensors.spherical import Part, cartesian, parts_of

TARGETS = (
    Target("dipole", "e*Å", False, basis=0, rank=1),
    Target("alpha", "", False, basis=0, rank=2),
    Target("shielding", "ppm", True, basis=0, rank=2, symmetric=False),
    Target("beta", "", False, extensive=False, basis=0, rank=3),
)


def with_tensors(model, targets=TARGETS, zeta=3, n_sparse=7, n_features=40, seed=0, term=0):
    """The model with these targets on one basis of its soap term, with random weights."""
    rng = np.random.default_rng(seed)
    shared = "centers" in model.terms[term]
    atoms = random_structure(np.repeat(model.species, n_sparse), seed=seed + 100)
    environments = model.environments(atoms)
    c = _core.density_coefficients(model.core, term, environments)
    names, arrays = list(range(1 if shared else len(model.species))), {}
    for a in names:
        own = slice(None) if shared else environments.species == a
        arrays[f"basis0.densities.{a}"] = c[own]
    if shared:
        arrays["basis0.species"] = environments.species.astype(np.int64)
    parts = sorted({part for own in targets for part in parts_of(own.rank, own.symmetric)})
    parts = [part for part in parts if part != Part(0, 1)]
    for p, part in enumerate(parts):
        every = products(model.terms[term]["n_channels"], *part)
        arrays[f"basis0.features.{p}"] = rng.permutation(every)[:n_features]
    metadata, own = model._contents
    bases = [{"term": term, "zeta": zeta, "parts": [part._asdict() for part in parts]}]
    for part in bases[0]["parts"]:
        part["lambda"] = part.pop("lam")
    for h, target in enumerate(targets):
        arrays[f"target{h}.cartesian"] = cartesian(target.rank, target.symmetric)
        has_mean = target.rank == 2
        arrays[f"target{h}.mean"] = has_mean * rng.normal(size=len(model.species))
        for k, part in enumerate(parts_of(target.rank, target.symmetric)):
            for a in names:
                n = len(arrays[f"basis0.densities.{a}"])
                weights = rng.normal(size=(n, part.size))
                arrays[f"target{h}.part{k}.weights.{a}"] = weights
    metadata = metadata | {
        "tensor_bases": json.dumps(bases),
        "targets": json.dumps([own.entry() for own in targets]),
    }
    return type(model).from_arrays(metadata, own | arrays)


def products(n_channels, lam, sigma):
    """All (l, q, l', q') of a density that couple to λ and σ."""
    every = [(l, q) for l, n in enumerate(n_channels) for q in range(n)]
    return np.array(
        [
            (*one, *two)
            for one in every
            for two in every
            if one <= two
            and abs(one[0] - two[0]) <= lam <= one[0] + two[0]
            and (-1) ** (one[0] + two[0] + lam) == sigma
            and (one != two or sigma > 0)
        ]
    )


def slow_psi_hat(model: Model, term: int, c: np.ndarray, norm, part: Part, kept: np.ndarray):
    """ψ̂ (N, F, 2λ + 1) of densities c (N, n_density), one coefficient after the other."""
    n_channels, begin, blocks = model.terms[term]["n_channels"], 0, []
    for l, n in enumerate(n_channels):
        size = (2 * l + 1) * n
        blocks.append(c[:, begin : begin + size].reshape(len(c), 2 * l + 1, n))
        begin += size
    out = np.zeros((len(c), len(kept), part.size))
    for f, (l1, q1, l2, q2) in enumerate(kept.tolist()):
        C = np.asarray(_core.clebsch_gordan(l1, l2, part.lam))
        own = np.einsum("nm,nk,mkM->nM", blocks[l1][:, :, q1], blocks[l2][:, :, q2], C)
        out[:, f] = own * (1 if (l1, q1) == (l2, q2) else np.sqrt(2))
    return out / np.where(norm > 0, norm, 1)[:, None, None]


def slow_tensors(model: Model, atoms: ase.Atoms) -> list[np.ndarray]:
    """What atoms have of each target (N, *shape), from eq. (26b) and (26c) as they are written."""
    basis = json.loads(model._contents[0]["tensor_bases"])[0]
    term, zeta = basis["term"], basis["zeta"]
    environments = model.environments(atoms)
    c_i = _core.density_coefficients(model.core, term, environments)
    shared = "centers" in model.terms[term]
    names = [0] if shared else range(len(model.species))
    c_m = np.concatenate([model.arrays[f"basis0.densities.{a}"] for a in names])
    if shared:
        species = model.arrays["basis0.species"]
    else:
        sizes = [len(model.arrays[f"basis0.densities.{a}"]) for a in names]
        species = np.repeat(np.arange(len(model.species)), sizes)
    kappa = model.arrays.get(f"term{term}.coupling", np.ones((len(model.species),) * 2))
    meet = kappa if shared else np.eye(len(model.species))
    p_i, n_i = _scalar(model, term, c_i)
    p_m, n_m = _scalar(model, term, c_m)
    s = p_i @ p_m.T
    scalar = meet[environments.species][:, species] * s ** (zeta - 1)
    found = []
    for h, target in enumerate(model.targets):
        t = []
        for k, part in enumerate(parts_of(target.rank, target.symmetric)):
            w = np.concatenate([model.arrays[f"target{h}.part{k}.weights.{a}"] for a in names])
            if part == Part(0, 1):
                mean = model.arrays[f"target{h}.mean"][environments.species]
                t.append((mean + (scalar * s) @ w[:, 0])[:, None])
                continue
            p = [(own["lambda"], own["sigma"]) for own in basis["parts"]].index(part)
            kept = model.arrays[f"basis0.features.{p}"]
            psi_i = slow_psi_hat(model, term, c_i, n_i, part, kept)
            psi_m = slow_psi_hat(model, term, c_m, n_m, part, kept)
            kernel = np.einsum("ifa,mfb->iamb", psi_i, psi_m) * scalar[:, None, :, None]
            t.append(np.einsum("iamb,mb->ia", kernel, w))
        B = cartesian(target.rank, target.symmetric)
        found.append((np.concatenate(t, axis=1) @ B.T).reshape(-1, *target.shape))
    return found


def _scalar(model, term, c):
    """p̂ and |p| of densities: all products, eq. (5)."""
    n_channels, begin, columns = model.terms[term]["n_channels"], 0, []
    for l, n in enumerate(n_channels):
        size = (2 * l + 1) * n
        own = c[:, begin : begin + size].reshape(len(c), 2 * l + 1, n)
        p = np.einsum("nmq,nmk->nqk", own, own) / np.sqrt(2 * l + 1)
        i, j = np.triu_indices(n)
        columns.append(p[:, i, j] * np.where(i == j, 1, np.sqrt(2)))
        begin += size
    p = np.concatenate(columns, axis=1)
    norm = np.linalg.norm(p, axis=1)
    return p / np.where(norm > 0, norm, 1)[:, None], norm
