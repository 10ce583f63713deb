# SPDX-License-Identifier: BSD-3-Clause
"""Slow, obviously right twin of the core: each equation of docs/theory.md as one loop or sum.

Tables are the dictionaries of potential.basis.tabulate. Angular channels are lists over l of arrays
(2l + 1, Q_l), m = -l..l. Features run over l, then q, then q' >= q.
"""

import itertools

import numpy as np
from ase.geometry import complete_cell
from scipy.special import sph_harm_y

from potential.basis import evaluate


def neighbours(positions, cell, pbc, cutoff):
    """Brute-force neighbour list: list over atoms i of (indices j (n,), r_ij (n, 3)).

    r_ij = r_j - r_i + S @ cell; images included, the atom itself excluded. Å.
    """
    positions, cell = np.asarray(positions, float), np.asarray(cell, float)
    pbc = np.broadcast_to(pbc, 3)
    repeats = [0, 0, 0]
    if pbc.any():
        # Positions may lie outside the cell: widen the search by their spread.
        inverse = np.linalg.inv(complete_cell(cell))
        spread = np.ptp(positions @ inverse, axis=0)
        reach = cutoff * np.linalg.norm(inverse, axis=0) + spread
        repeats = [int(n) for n in np.where(pbc, np.ceil(reach), 0)]
    shifts = np.array(list(itertools.product(*[range(-n, n + 1) for n in repeats]))) @ cell
    result = []
    for i, centre in enumerate(positions):
        r_ij = positions[None] - centre + shifts[:, None]  # (images, atoms, 3)
        is_self = (shifts == 0).all(axis=1)[:, None] & (np.arange(len(positions)) == i)
        image, j = np.nonzero((np.linalg.norm(r_ij, axis=2) < cutoff) & ~is_self)
        result.append((j, r_ij[image, j]))
    return result


def cutoff_function(r, cutoff, width, kind):
    """f_c of eq. (1a) at one distance or several."""
    r = np.asarray(r, float)
    if kind == "cosine":
        fall = 0.5 * (1 + np.cos(np.pi * (r - cutoff + width) / width))
    else:
        x = np.clip((cutoff - r) / width, 0, 1)
        with np.errstate(divide="ignore", over="ignore"):
            low, high = np.exp(-1 / x), np.exp(-1 / (1 - x))
        fall = low / (low + high)
    return np.where(r < cutoff - width, 1.0, np.where(r < cutoff, fall, 0.0))


def shifted_cosine(r, cutoff, width):
    """The cosine of eq. (1a)."""
    return cutoff_function(r, cutoff, width, "cosine")


def spherical_harmonics(l, r):
    """Real Y_lm, (n, 2l + 1), m = -l..l, orthonormal on the sphere, of vectors r (n, 3)."""
    x, y, z = np.asarray(r, float).reshape(-1, 3).T
    polar, azimuth = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
    columns = []
    for m in range(-l, l + 1):
        complex_y = (-1) ** m * sph_harm_y(l, abs(m), polar, azimuth)
        if m == 0:
            columns.append(complex_y.real)
        else:
            columns.append(np.sqrt(2.0) * (complex_y.real if m > 0 else complex_y.imag))
    return np.stack(columns, axis=1)


def spline_radial(tables):
    """radial(a, r) -> (n, C_a): S of neighbour species a from the tables."""
    return lambda a, r: evaluate(tables, a, r)


def expansion(tables, l_max, centre, neighbour_species, r_ij, radial=None):
    """c^l_qm = Σ_j S^l_{a_j,q}(r_ij) Y_lm + δ_l0 s0_{a_i,q}; list over l of (2l + 1, Q_l).

    centre, neighbour_species: species indices; r_ij (n, 3) Å. radial replaces the splines by
    another S, for example direct quadrature.
    """
    radial = radial or spline_radial(tables)
    c = [np.zeros((2 * l + 1, tables["n_channels"][l])) for l in range(l_max + 1)]
    c[0][0] += tables["central"][centre]
    for a, vector in zip(neighbour_species, r_ij, strict=True):
        values = radial(a, np.array([np.linalg.norm(vector)]))[0]
        column = 0
        for l in range(l_max + 1):
            begin, end = tables["channel_begin"][a][l], tables["channel_end"][a][l]
            s = values[column : column + end - begin]
            c[l][:, begin:end] += np.outer(spherical_harmonics(l, vector)[0], s)
            column += end - begin
    return c


def power_spectrum(c):
    """p^l_qq' = (2l + 1)^(-1/2) Σ_m c_qm c_q'm, times √2 if q != q'; (n_features,)."""
    features = []
    for l, c_l in enumerate(c):
        for q, q2 in itertools.combinations_with_replacement(range(c_l.shape[1]), 2):
            p = c_l[:, q] @ c_l[:, q2] / np.sqrt(2 * l + 1)
            features.append(p if q == q2 else np.sqrt(2.0) * p)
    return np.array(features)


def normalise(p):
    """p / |p|; an empty environment stays zero."""
    norm = np.linalg.norm(p)
    return p / norm if norm > 0 else p


def features(tables, l_max, species, positions, cell=None, pbc=False, radial=None):
    """Power spectra (n_atoms, n_features), not normalised; species: indices (n_atoms,)."""
    species = np.asarray(species)
    cutoff = tables["segments"][-1][1]
    cell = np.zeros((3, 3)) if cell is None else cell
    return np.array(
        [
            power_spectrum(expansion(tables, l_max, species[i], species[j], r_ij, radial))
            for i, (j, r_ij) in enumerate(neighbours(positions, cell, pbc, cutoff))
        ]
    )


def term_energies(p, species, sparse_points, weights, zeta, delta, normalize=True, offset=0.0):
    """ε_t(i) = δ² Σ_m w_m (p_i·p_m + offset)^ζ, (n_atoms,) eV; p (n_atoms, n_features).

    species: indices (n_atoms,); sparse_points {a: (M_a, n_features)} and weights {a: (M_a,)} of the
    centre's species a. An atom whose power spectrum is zero contributes nothing.
    """
    energies = []
    for a, p_i in zip(species, p, strict=True):
        kernel = (sparse_points[a] @ (normalise(p_i) if normalize else p_i) + offset) ** zeta
        energies.append(delta**2 * float(weights[a] @ kernel))
    return np.array(energies)
