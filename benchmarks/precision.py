# SPDX-License-Identifier: BSD-3-Clause
"""What single precision would do to the forces of a fitted model, and what it would gain.

The kernel products k = y Yᵀ and h = c Y of the evaluator are made in numpy, in single precision in
several forms; everything else stays double. A force component is -Σ_i h_i·∂y_i/∂r, with the
derivative of the features by central differences, for components drawn at random. The time is that
of the matrix products for blocks of 48 atoms on one core; docs/precision.md discusses the outcome.

  python benchmarks/precision.py model.sgpr test.xyz
"""

from common import (
    add_output_option,
    alternate,
    describe,
    emit,
    machine,
    pin_to_one_core,
    summary,
    table,
)

pin_to_one_core()

import argparse  # noqa: E402
import math  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402

import numpy as np  # noqa: E402

from potential.model import Model  # noqa: E402
from potential.structures.read import read_geometries  # noqa: E402
from potential.terms.features import features  # noqa: E402

BLOCK = 48  # atoms
STEP = 1e-4  # Å
Product = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Kernel:
    """ε(p̂) = Σ_m w_m (y·Y_m)^ζ with y = p̂ Pᵀ; w includes δ². h = ∂ε/∂y."""

    Y: np.ndarray
    w: np.ndarray
    zeta: int
    P: np.ndarray | None

    def reduced(self, p: np.ndarray) -> np.ndarray:
        return p if self.P is None else p @ self.P.T

    def double(self, y: np.ndarray, product: Product = np.matmul) -> tuple[np.ndarray, np.ndarray]:
        """Energies (n,) and h (n, rank), with the two large products made by `product`."""
        k = product(y, self.Y.T)
        return k**self.zeta @ self.w, product(self.zeta * self.w * k ** (self.zeta - 1), self.Y)

    def expanded(self, order: int, mean: np.ndarray):
        """The Taylor series about the mean y to `order` in double, what is left in single.

        Orders 0 to 2 are a number, a vector and a matrix for all sparse points together.
        """
        zeta, k0 = self.zeta, self.Y @ mean
        energy = self.w @ k0**zeta
        slope = (zeta * self.w * k0 ** (zeta - 1)) @ self.Y
        curvature = (self.Y.T * (zeta * (zeta - 1) * self.w * k0 ** (zeta - 2))) @ self.Y

        def evaluate(y):
            dy = y - mean
            t = single(dy, self.Y.T)
            left = [(j, self.w * math.comb(zeta, j) * k0 ** (zeta - j)) for j in range(zeta + 1)]
            left = left[order + 1 :]
            h = single(sum(j * c * t ** (j - 1) for j, c in left), self.Y) + slope
            e = sum(np.sum(c * t**j, axis=1) for j, c in left) + energy + dy @ slope
            if order == 2:
                second = dy @ curvature
                h, e = h + second, e + 0.5 * np.sum(dy * second, axis=1)
            return e, h

        return evaluate


def single(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One product in single precision."""
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(float)


def split(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Three products of the high and low halves of double numbers."""
    a_high, b_high = a.astype(np.float32), b.astype(np.float32)
    return single(a_high, b_high) + single(a_high, b - b_high) + single(a - a_high, b_high)


def methods(kernel: Kernel, mean: np.ndarray) -> dict[str, Callable]:
    """Ways to make (energies, h) from y."""
    return {
        "double": kernel.double,
        "single": lambda y: kernel.double(y, single),
        "three single products of halves": lambda y: kernel.double(y, split),
        "1st order about the mean in double": kernel.expanded(1, mean),
        "2nd order about the mean in double": kernel.expanded(2, mean),
    }


def samples(model: Model, structures, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """p̂ (N, n_features) and its derivative along a random coordinate of a random structure."""
    rng = np.random.default_rng(0)
    found = []
    for k in rng.integers(len(structures), size=count):
        structure = structures[k]
        index = rng.integers(len(structure)), rng.integers(3)
        moved = []
        for step in (STEP, -STEP):
            positions = structure.positions.copy()
            positions[index] += step
            moved.append(features(model, 0, replace(structure, positions=positions)))
        found.append((features(model, 0, structure), (moved[0] - moved[1]) / (2 * STEP)))
    return found


def errors(kernel: Kernel, data) -> dict[str, dict[str, float]]:
    """Against double: largest energy error (eV per atom), largest and RMS force error (eV/Å)."""
    mean = kernel.reduced(np.concatenate([p for p, _ in data[:20]])).mean(axis=0)
    energy: dict[str, list[float]] = {}
    force: dict[str, list[float]] = {}
    for p, dp in data:
        y, dy = kernel.reduced(p), kernel.reduced(dp)
        expected, h = kernel.double(y)
        for name, method in methods(kernel, mean).items():
            e, found = method(y)
            energy.setdefault(name, []).append(float(np.abs(e - expected).max()))
            force.setdefault(name, []).append(float(np.sum((found - h) * dy)))
    return {
        name: {
            "energy": max(energy[name]),
            "force": float(np.abs(force[name]).max()),
            "force_rms": float(np.sqrt(np.mean(np.square(force[name])))),
        }
        for name in force
    }


def times(kernel: Kernel, n_features: int, seconds: float) -> dict[str, list[float]]:
    """Seconds of the products of one block, without the copies to single."""
    size, rank = kernel.Y.shape
    rng = np.random.default_rng(0)
    p, y, c = (rng.normal(size=(BLOCK, n)) for n in (n_features, rank, size))
    Y, square = kernel.Y, rng.normal(size=(rank, rank))
    y32, c32, Y32 = (x.astype(np.float32) for x in (y, c, Y))

    def project():
        if kernel.P is not None:
            np.matmul(p, kernel.P.T)
            np.matmul(y, kernel.P)

    def product(count, y, c, Y):
        for _ in range(count):
            np.matmul(y, Y.T)
            np.matmul(c, Y)
        project()

    one = lambda: product(1, y32, c32, Y32)  # noqa: E731
    functions = {
        "double": lambda: product(1, y, c, Y),
        "single": one,
        "three single products of halves": lambda: product(3, y32, c32, Y32),
        "1st order about the mean in double": one,
        "2nd order about the mean in double": lambda: (one(), y @ square),
    }
    return alternate(functions, seconds)


def main() -> None:
    arguments = _arguments()
    model = Model.load(arguments.model)
    if len(model.species) > 1 or len(model.terms) > 1 or model.terms[0]["zeta"] < 3:
        raise SystemExit("expected a model of one species and one term with zeta of 3 or more")
    term, points = model.terms[0], model.sparse_points(0)[0]
    weights = term["delta"] ** 2 * model.arrays["term0.weights.0"]
    kernel = Kernel(points, weights, term["zeta"], model.arrays.get("term0.projection.0"))
    data = samples(model, read_geometries(arguments.data), arguments.components)
    found = errors(kernel, data)
    taken = times(kernel, data[0][0].shape[1], arguments.seconds)
    result = {
        "benchmark": "precision",
        "machine": machine(),
        "model": arguments.model,
        "sparse_points": list(points.shape),
        "sum_of_absolute_weights": float(np.abs(weights).sum()),
        "components": len(data),
        "errors": found,
        "us_per_atom": {name: summary(t, 1e6 / BLOCK) for name, t in taken.items()},
    }
    emit(_text(result), result, arguments.json)


def _text(result: dict) -> str:
    double = result["us_per_atom"]["double"]["median"]
    rows = [
        [name, *(1e3 * e[key] for key in ("force_rms", "force", "energy")), t, double / t]
        for name, e in result["errors"].items()
        for t in [result["us_per_atom"][name]["median"]]
    ]
    head = ["", "force RMS", "largest, meV/Å", "energy, meV/atom", "µs/atom", "factor"]
    size, rank = result["sparse_points"]
    return (
        f"{describe(result['machine'])}\n\n{result['model']}: {size} sparse points, {rank} "
        f"dimensions, Σ|w| {result['sum_of_absolute_weights']:.1e} eV; "
        f"{result['components']} force components\n\n{table(head, rows)}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="model file of one species and one term")
    parser.add_argument("data", nargs="+", help="structures")
    parser.add_argument("--components", type=int, default=200, help="force components to sample")
    parser.add_argument("--seconds", type=float, default=5.0, help="time to measure for")
    add_output_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
