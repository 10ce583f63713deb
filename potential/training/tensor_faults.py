# SPDX-License-Identifier: BSD-3-Clause
"""What may be wrong with a vector or tensor that is not as a model of other frames predicts it: its
unit or sign, the origin of a dipole, or axes that were not turned with the frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from ase.data import atomic_masses
from ase.units import Bohr, Debye
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from potential.species import LAST_ELEMENT
from potential.structures.structure import Structure
from potential.tensors.spherical import Part, places, to_spherical

EXPLAINED = 0.3  # of a residual is left at most by what explains it
EXPLAINED_BY_SIGN = 0.1
SAME_SIZE = 1.25  # factors nearer to 1 may be errors of the model
SAME_FACTOR = 0.04  # by which a factor may differ from that of a unit
OTHER_SIZE = 1.6  # those of groups, whose structures may be unlike
LEFT_OF_GROUP = 0.45  # of labels of a group, that are those predicted but for a factor
N_ROTATIONS = 400  # tried, before the best are refined
N_REFINED = 4
_UNKNOWN = "look for another unit"
_UNITS = {
    1: {"debye and a.u.": Bohr / Debye, "e Å and a.u.": Bohr, "debye and e Å": 1 / Debye},
    2: {"Å³ and a.u.": Bohr**3},
}


@dataclass(frozen=True)
class Compared:
    """Labels of one frame beside what a model of others says of them."""

    structure: Structure
    labels: np.ndarray  # (n, n_components) Cartesian, of atoms, or one row of the structure
    predicted: np.ndarray  # (n, n_components)
    kinds: np.ndarray  # (n,) atomic numbers, 0 of a structure

    @property
    def residual(self) -> np.ndarray:
        return self.labels - self.predicted


def part_lengths(T: np.ndarray, rank: int, symmetric: bool) -> dict[Part, np.ndarray]:
    """|t| (n,) of each part of tensors T (n, 3^rank)."""
    t = to_spherical(T, rank, symmetric)
    where = places(rank, symmetric)
    return {part: np.linalg.norm(t[:, own], axis=1) for part, own in where.items()}


def factor(frames: Sequence[Compared]) -> tuple[float, float]:
    """The s of labels = s · predicted in the sense of least squares, and the share |labels -
    s · predicted| / |labels| that is left."""
    y = np.concatenate([own.labels.ravel() for own in frames])
    f = np.concatenate([own.predicted.ravel() for own in frames])
    square = float(f @ f)
    s = float(y @ f) / square if square else 0.0
    size = float(np.linalg.norm(y))
    return s, float(np.linalg.norm(y - s * f)) / size if size else 1.0


def is_other_size(frame: Compared, rank: int) -> bool:
    """Whether another unit or sign explains the labels of a frame."""
    s, left = factor([frame])
    near = 1 / SAME_SIZE < s < SAME_SIZE
    # What is odd under inversion and nearly opposite may as well be turned.
    share = EXPLAINED_BY_SIGN if s < 0 and rank % 2 else EXPLAINED
    most = share * float(np.linalg.norm(frame.residual))
    return not near and left * float(np.linalg.norm(frame.labels)) < most


def common_factor(
    frames: Sequence[Compared], parts: Callable[[np.ndarray], dict[Part, np.ndarray]]
) -> float | None:
    """The factor between labels and predictions of a group, where it is far from 1 and the same for
    all parts, of which the predictions say enough; None where there is no such factor."""
    s, left = factor(frames)
    if left > LEFT_OF_GROUP or 1 / OTHER_SIZE < s < OTHER_SIZE:
        return None
    y = parts(np.concatenate([own.labels for own in frames]))
    r = parts(np.concatenate([own.labels - s * own.predicted for own in frames]))
    for part, size in y.items():
        own = size - np.median(size) if part == Part(0, 1) else size
        if np.sum(r[part] ** 2) > LEFT_OF_GROUP**2 * np.sum(own**2) and part.lam > 0:
            return None
    return s


def meaning(s: float, rank: int, sizes: Sequence[int]) -> str:
    """What a factor between labels and predictions may come from; sizes: numbers of atoms."""
    candidates = {"look for the opposite sign": -1.0}
    if min(sizes) > 1:
        n = float(np.mean(sizes))
        candidates["look whether they were divided by the number of atoms"] = 1 / n
        candidates["look whether they were multiplied by the number of atoms"] = n
    for units, ratio in _UNITS.get(rank, {}).items():
        for own in (ratio, 1 / ratio):
            # of the same text for both ways round
            if abs(abs(s) / own - 1) < SAME_FACTOR:
                candidates[f"as between {units}"] = own if s > 0 else -own
    best = min(candidates, key=lambda text: abs(s / candidates[text] - 1))
    near = abs(s / candidates[best] - 1)
    return best if near < SAME_FACTOR or (s < 0 and near < 1 - 1 / SAME_SIZE) else _UNKNOWN


def origin_slope(frames: Sequence[Compared]) -> tuple[float, float]:
    """Q of residual = Q q R of dipoles, R the centre of mass in Å and q the ``charge`` of the
    frame, or 1 where none is known, and the share of the residuals' square that it explains."""
    X = np.array([charge(own.structure) * centre(own.structure) for own in frames])
    r = np.array([own.residual[0] for own in frames])
    square, total = float(np.sum(X * X)), float(np.sum(r * r))
    if not square or not total:
        return 0.0, 0.0
    Q = float(np.sum(X * r)) / square
    return Q, 1 - float(np.sum((r - Q * X) ** 2)) / total


def shifted_frames(frames: Sequence[Compared]) -> tuple[list[Compared], float]:
    """Frames whose residuals are Q q R with the same Q, that of most of them, and Q."""
    slopes = [origin_slope([own]) for own in frames]
    Q = float(np.median([slope for slope, _ in slopes])) if slopes else 0.0
    alike = [
        own
        for own, (slope, share) in zip(frames, slopes, strict=True)
        if share > 1 - EXPLAINED**2 and abs(slope - Q) < EXPLAINED * abs(Q)
    ]
    return alike, origin_slope(alike)[0] if alike else 0.0


def centre(structure: Structure) -> np.ndarray:
    """The centre of mass (3,), Å; beads weigh 1."""
    numbers = structure.numbers
    masses = np.ones(len(numbers))
    known = numbers <= LAST_ELEMENT
    masses[known] = atomic_masses[numbers[known]]
    return masses @ structure.positions / masses.sum()


def charge(structure: Structure) -> float:
    """That which the frame says it has, or 1."""
    found = structure.info.get("charge", 1.0)
    return float(found) if isinstance(found, (int, float, np.number)) else 1.0


def is_turned(frame: Compared, rank: int) -> bool:
    """Whether a rotation, the same of all rows, takes the predicted tensors to the labels."""
    before = float(np.linalg.norm(frame.residual))
    return bool(_left_by_rotation(frame, rank) < EXPLAINED * before)


def _left_by_rotation(frame: Compared, rank: int) -> float:
    """The smallest |labels - D(R) predicted| over rotations R."""
    shape = (-1, *(3,) * rank)
    y, f = frame.labels.reshape(shape), frame.predicted.reshape(shape)

    def left(R: np.ndarray) -> np.ndarray:
        return (_turned(f, R, rank) - y).ravel()

    grid = _rotations()
    tried = np.array([np.linalg.norm(left(R)) for R in grid.as_matrix()])
    best = np.inf
    for k in np.argsort(tried)[:N_REFINED].tolist():
        first = grid[k].as_rotvec()
        found = least_squares(lambda v: left(Rotation.from_rotvec(v).as_matrix()), first)
        best = min(best, float(np.sqrt(2 * found.cost)))
    return best


def _turned(T: np.ndarray, R: np.ndarray, rank: int) -> np.ndarray:
    for axis in range(1, rank + 1):
        T = np.moveaxis(np.tensordot(T, R, axes=(axis, 1)), -1, axis)
    return T


@cache
def _rotations() -> Rotation:
    return Rotation.random(N_ROTATIONS, rng=np.random.default_rng(0))
