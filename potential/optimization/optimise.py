# SPDX-License-Identifier: BSD-3-Clause
"""The map of species, or contraction, at which a Gaussian process of structures does best
(docs/theory.md eq. 13p, 13s)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from potential.basis.optimise_settings import MARGINAL_LIKELIHOOD, PENALTY
from potential.optimization.kernel import KernelOfStructures
from potential.optimization.losses import LOSSES
from potential.optimization.mixing import Mixing
from potential.runtime.progress import Progress, silent
from potential.schema import Place

# Expected variances relative to those of the kernel, as logarithms: from 1.5e-8 to 150.
NOISE_RANGE = (-18.0, 5.0)
# Prior variance of what a baseline leaves open, relative to that of the energies by the kernel.
OPEN = 1e4
# The search starts with no more noise than this: where all is noise, no map is better than another.
MOST_NOISE = -7.0
# A step that gains less, relative to the loss, is the last.
LEAST_GAIN = 1e-5


@dataclass(frozen=True, eq=False)
class Targets:
    """Energies that a process of structures describes.

    y           (N,) eV, less the baseline
    sigma       (N,) expected errors relative to each other; their factor is found with the map
    n_atoms     (N,); errors count by atom
    composition (N, n_species) atoms of each species where energies of isolated atoms are fitted
                along with the rest, which leaves them open; None where they are given
    """

    y: np.ndarray
    sigma: np.ndarray
    n_atoms: np.ndarray
    composition: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class OptimisedMap:
    """What was found.

    u: the table, of the shape of the start; losses: those of the start and after each step, without
    the penalty.
    """

    u: np.ndarray
    losses: list[float]

    @property
    def steps(self) -> int:
        return len(self.losses) - 1


class Objective:
    """Loss and penalty of a table that mixes channels and of the logarithm t of the factor of the
    expected variances, docs/theory.md eq. (13p), with derivatives by both."""

    def __init__(
        self,
        own: Mixing,
        targets: Targets,
        kernel: KernelOfStructures,
        start: np.ndarray,
        *,
        loss: str,
        penalty: float,
    ):
        self._own, self._targets, self._kernel, self._start = own, targets, kernel, start
        self._loss = LOSSES[loss]
        self._stiffness = penalty / len(targets.y) / np.mean(np.sum(start**2, axis=1))
        self._weights = targets.n_atoms**-2.0
        self._open, self._n_open = np.zeros((len(targets.y),) * 2), 0
        K, _ = kernel(own, start)
        scale = float(np.mean(np.diag(K)))
        self._noise = targets.sigma**2 / np.mean(targets.sigma**2) * scale
        if targets.composition is not None:
            C = targets.composition
            self._open = OPEN * scale / np.mean(np.sum(C**2, axis=1)) * (C @ C.T)
            self._n_open = int(np.linalg.matrix_rank(C))

    def __call__(self, u: np.ndarray, t: float) -> tuple[float, float, np.ndarray, float]:
        """Loss, penalty, and the derivatives of their sum by the table u and t."""
        K, pull_back = self._kernel(self._own, u)
        loss, dC, dt = self._of_kernel(K, t)
        step = u - self._start
        penalty = 0.5 * self._stiffness * float(np.sum(step**2))
        return loss, penalty, pull_back(dC) + self._stiffness * step, dt

    def best_noise(self, u: np.ndarray) -> float:
        """t at which the loss of a map is smallest."""
        K, _ = self._kernel(self._own, u)
        found = minimize_scalar(
            lambda t: self._of_kernel(K, t)[0], bounds=NOISE_RANGE, method="bounded"
        )
        return float(found.x)

    def _of_kernel(self, K: np.ndarray, t: float) -> tuple[float, np.ndarray, float]:
        noise = np.exp(t) * self._noise
        C = K + self._open + np.diag(noise)
        loss, dC = self._loss(C, self._targets.y, self._weights, self._n_open)
        return loss, dC, float(np.diag(dC) @ noise)


def optimise_map(
    own: Mixing,
    targets: Targets,
    kernel: KernelOfStructures,
    start: np.ndarray,
    *,
    loss: str = MARGINAL_LIKELIHOOD,
    penalty: float | None = None,
    steps: int = 100,
    progress: Progress = silent,
) -> OptimisedMap:
    """The table near ``start`` with the least loss and penalty, by L-BFGS: a map u (n_species, d_J)
    of ``Densities``, or a contraction of ``ChannelDensities``.

    penalty: λ of docs/theory.md eq. (13p); None: that which suits the loss.
    Where nothing better than the start is found it is returned, with no steps. The search ends
    after ``steps`` steps, or when one gains less than 1e-5 of the loss. Species that are in no
    structure keep what the start says. Raises SettingError when there is too little data.
    """
    if len(targets.y) < 3:
        raise Place(key=f"{own.KEY}.optimise").says(
            f"found {len(targets.y)} structures with energies, expected at least 3 to optimise "
            f"the {own.NAME}"
        )
    penalty = PENALTY[loss] if penalty is None else penalty
    objective = Objective(own, targets, kernel, start, loss=loss, penalty=penalty)
    t = objective.best_noise(start)
    losses = [objective(start, t)[0]]
    t = min(t, MOST_NOISE)
    slope = objective(start, t)[2]
    # The first step of L-BFGS is the gradient, or of unit length where that is longer.
    scale = 1.0 / max(float(np.linalg.norm(slope)), 1e-12)
    shape, latest = start.shape, [0.0]
    bar = iter(progress(range(steps), own.NAME))

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, penalty, du, dt = objective(x[:-1].reshape(shape), x[-1])
        latest[0] = loss
        return scale * (loss + penalty), scale * np.append(du.ravel(), dt)

    def step(x: np.ndarray) -> None:
        losses.append(latest[0])
        next(bar, None)

    found = minimize(
        value,
        np.append(start.ravel(), t),
        jac=True,
        method="L-BFGS-B",
        callback=step,
        bounds=[(None, None)] * start.size + [NOISE_RANGE],
        options={"maxiter": steps, "ftol": LEAST_GAIN, "gtol": 0.0},
    )
    for _ in bar:  # the bar ends with the last step
        pass
    if found.fun / scale > losses[0]:
        return OptimisedMap(start, losses[:1])
    return OptimisedMap(found.x[:-1].reshape(shape), losses)
