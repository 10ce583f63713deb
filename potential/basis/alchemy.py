# SPDX-License-Identifier: BSD-3-Clause
"""Alchemical maps of elements onto pseudo-species (docs/theory.md eq. 3d, 3f, 3g; [P 15-17, 20]).

u (n_species, d_J) has a row for each element; κ = u uᵀ says how alike two of them are. An
orthogonal change of the columns leaves κ, and with it every kernel, as it is: compare κ, not u.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from ase.data import vdw, vdw_alvarez

from potential.basis.optimise_settings import NEEDS_A_FIT
from potential.basis.settings import IDENTITY, PROPERTIES, AlchemySettings
from potential.errors import SoapGprError
from potential.schema import Place
from potential.species import symbol

# Pauling's scale: CRC Handbook of Chemistry and Physics, 97th edition, as in mendeleev 1.3.
ELECTRONEGATIVITY = dict(
    H=2.20, Li=0.98, Be=1.57, B=2.04, C=2.55, N=3.04, O=3.44, F=3.98, Na=0.93, Mg=1.31, Al=1.61,
    Si=1.90, P=2.19, S=2.58, Cl=3.16, K=0.82, Ca=1.00, Sc=1.36, Ti=1.54, V=1.63, Cr=1.66, Mn=1.55,
    Fe=1.83, Co=1.88, Ni=1.91, Cu=1.90, Zn=1.65, Ga=1.81, Ge=2.01, As=2.18, Se=2.55, Br=2.96,
    Rb=0.82, Sr=0.95, Y=1.22, Zr=1.33, Nb=1.60, Mo=2.16, Tc=2.10, Ru=2.20, Rh=2.28, Pd=2.20,
    Ag=1.93, Cd=1.69, In=1.78, Sn=1.96, Sb=2.05, Te=2.10, I=2.66, Xe=2.60, Cs=0.79, Ba=0.89,
    La=1.10, Ce=1.12, Pr=1.13, Nd=1.14, Sm=1.17, Gd=1.20, Dy=1.22, Ho=1.23, Er=1.24, Tm=1.25,
    Lu=1.00, Hf=1.30, Ta=1.50, W=1.70, Re=1.90, Os=2.20, Ir=2.20, Pt=2.20, Au=2.40, Hg=1.90,
    Tl=1.80, Pb=1.80, Bi=1.90, Po=2.00, At=2.20, Fr=0.70, Ra=0.90, Ac=1.10, Th=1.30, Pa=1.50,
    U=1.70, Np=1.30, Pu=1.30,
    # absent there: from configuration energies, L. C. Allen, J. Am. Chem. Soc. 111, 9003 (1989)
    He=4.16, Ne=4.79, Ar=3.24, Kr=2.97, Rn=2.60,
)  # fmt: skip
# Lanthanides that a table leaves out are the mean of their neighbours.
BETWEEN = ("Pm", "Eu", "Tb", "Yb")


def properties(species: Sequence[int]) -> np.ndarray:
    """Electronegativity on Pauling's scale and van der Waals radius in Å (n_species, 2).

    Radii are those of Alvarez (Dalton Trans. 42, 8617 (2013)) and where he has none those of
    Mantina et al. (J. Phys. Chem. A 113, 5806 (2009)), both from ase.data. Raises SettingError for
    an element without both.
    """
    found = np.array([[_value(_electronegativity, z), _value(_radius, z)] for z in species])
    unknown = [symbol(z) for z in np.asarray(species)[np.isnan(found).any(axis=1)]]
    if unknown:
        raise Place(key="alchemy.start").says(
            "no electronegativity or van der Waals radius is known of "
            f"{', '.join(unknown)}; expected a table of weights by species instead of "
            f'"{PROPERTIES}"'
        )
    return found


def _value(table: Callable[[int], float], z: int) -> float:
    if np.isnan(table(z)) and symbol(z) in BETWEEN:
        return 0.5 * (table(z - 1) + table(z + 1))
    return table(z)


def _electronegativity(z: int) -> float:
    return ELECTRONEGATIVITY.get(symbol(z), np.nan)


def _radius(z: int) -> float:
    for radii in (vdw_alvarez.vdw_radii, vdw.vdw_radii):
        if z < len(radii) and np.isfinite(radii[z]):
            return float(radii[z])
    return np.nan


def similarity(values: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """κ (n, n) of elements with these properties (n, n_properties), eq. (3f) [P 20]."""
    scaled = values / np.asarray(sigmas)
    return np.exp(-0.5 * ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2))


def leading_map(kappa: np.ndarray, dimensions: int) -> np.ndarray:
    """u (n, dimensions) = √λ_J v_J of the largest eigenvalues of κ, eq. (3g).

    The sign of a column is that which makes its sum positive.
    """
    values, vectors = np.linalg.eigh(kappa)
    u = vectors[:, ::-1][:, :dimensions] * np.sqrt(np.maximum(values[::-1][:dimensions], 0.0))
    return np.ascontiguousarray(u * np.where(u.sum(axis=0) < 0, -1.0, 1.0))


def alchemical_map(settings: AlchemySettings, species: Sequence[int]) -> np.ndarray:
    """u (n_species, dimensions) of a term with these species, ascending atomic numbers.

    Raises SoapGprError when settings and species do not fit together, and for a map that is to be
    optimised, which takes data.
    """
    if settings.optimise is not None:
        raise SoapGprError(f"alchemy.optimise: {NEEDS_A_FIT}")
    n, dimensions, start = len(species), settings.dimensions, settings.start
    if isinstance(start, Mapping):
        return np.array([_given(start, symbol(z)) for z in species])
    if dimensions > n or (start == IDENTITY and dimensions != n):
        most = "at most " if start == PROPERTIES else ""
        raise Place(key="alchemy.dimensions").error(
            dimensions, f'{most}{n}, the number of species, with start = "{start}"'
        )
    if start == IDENTITY:
        return np.eye(n)
    sigmas = (settings.sigma_electronegativity, settings.sigma_radius)
    return leading_map(similarity(properties(species), sigmas), dimensions)


def _given(start: Mapping[str, Sequence[float]], name: str) -> Sequence[float]:
    if name not in start:
        raise Place(key="alchemy.start").says(
            f"found {', '.join(start)}, expected {name} as well, a species of the model"
        )
    return start[name]


def coupling(u: np.ndarray) -> np.ndarray:
    """κ_c (n_species, n_species) between centres: κ over √(κ_aa κ_bb), eq. (7e)."""
    rows = u / np.linalg.norm(u, axis=1, keepdims=True)
    kappa = rows @ rows.T
    np.fill_diagonal(kappa, 1.0)
    return kappa
