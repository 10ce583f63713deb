# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the regression for many fits at once: subsets, folds and other e0 from the same rows.

An extended row is [A C y] / sigma: the n_weights columns of the design matrix, one column per
species with the composition (energy rows only), and the target above the e0 of all training
structures. A fit with another e0 has the target y - C Δe0, so that rows and triangular factors
serve every subset with the e0 that it would have found by itself.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.memory import available_bytes
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks, world
from potential.settings import FitSettings
from potential.settings.file import as_settings
from potential.settings.targets import terms_without_points
from potential.structures.digests import fingerprint
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.baseline import isolated_atom_energies
from potential.training.choice import choose, require_weights
from potential.training.data import FitData, read_fit_data
from potential.training.extra_species import known_species
from potential.training.maps import require_no_maps, set_apart, wanted
from potential.training.memory import require_possible
from potential.training.noise import has_potential
from potential.training.regression import Solution, StreamingQR, solve

MEMORY_BYTES = 2 * 2**30  # rows kept in memory, by default
DISK_BYTES = 20 * 2**30  # and in a temporary file
SEEN = (
    "what is to be optimised was so once, on the structures of all folds and sizes: errors are too "
    "small where these are left out. Set optimise.apart = true, or give the table of a fit as start"
)
NOT_COMPRESSED = "errors are those of models before [compress]"
NOT_ELIMINATED = (
    "[solver] sparse_tolerance: errors, and costs, are those of models with all sparse points"
)


@dataclass(frozen=True)
class Prepared:
    """What comes before the regression: structures, and the model with all weights zero."""

    settings: FitSettings
    model: TrainingModel  # e0 and sparse points of all training structures
    train: list[Structure]  # in an order that files do not set
    test: list[Structure]
    K_MM: np.ndarray  # of the potential; (0, 0) without one
    warnings: list[str] = field(default_factory=list)

    @property
    def has_potential(self) -> bool:
        """Whether energies, forces or virials are fitted: else there are [[targets]] alone."""
        return len(self.K_MM) > 0

    @property
    def width(self) -> int:
        """Columns of an extended row but the last."""
        return self.model.n_weights + len(self.model.species)

    def by_column(self, of_terms: Sequence[float] | np.ndarray) -> np.ndarray:
        """(n_weights,) a value of each [[terms]] entry, for each of its columns."""
        own = self.model.own_terms[: len(of_terms)]  # fixed terms follow, without columns
        return np.repeat(np.asarray(of_terms, dtype=float), [term.n_weights for term in own])

    def e0(self, structures: Sequence[Structure]) -> np.ndarray:
        """e0 (n_species,) that a fit to these training structures would use."""
        ordered = sorted(structures, key=fingerprint)
        return isolated_atom_energies(self.settings.baseline, ordered, self.model.species)

    def solve(
        self, triangles: Iterable[np.ndarray], e0: np.ndarray, jitter: float | None = None
    ) -> Solution:
        """Weights from triangular factors (n, width + 1) of extended rows, for this e0."""
        triangle = self.collapse(triangles, e0)
        jitter = self.settings.solver.jitter if jitter is None else jitter
        return solve(triangle, self.K_MM, jitter)

    def collapse(self, triangles: Iterable[np.ndarray], e0: np.ndarray) -> np.ndarray:
        """One factor (M + 1, M + 1) of [A y] from factors of extended rows."""
        M = self.model.n_weights
        shift = e0 - self.model.arrays["e0"]
        qr = StreamingQR(M)
        for R in triangles:
            qr.add(R[:, :M], R[:, -1] - R[:, M:-1] @ shift)
        return qr.triangle()

    def residuals(self, rows: np.ndarray, weights: np.ndarray, e0: np.ndarray) -> np.ndarray:
        """(predicted - reference) / sigma of extended rows (n, width + 1), or of their factor.

        weights (n_weights, ...) and e0 (n_species, ...) of one model or of several.
        """
        M = self.model.n_weights
        shift = (e0.T - self.model.arrays["e0"]).T
        targets = rows[:, -1] if weights.ndim == 1 else rows[:, -1:]
        return rows[:, :M] @ weights + rows[:, M:-1] @ shift - targets


def read_data(settings: FitSettings) -> FitData:
    """Labelled structures of [data], training structures in an order that files do not set.

    Raises SoapGprError for anything a user can put right.
    """
    n_ranks = world().size
    if n_ranks > 1:
        raise SoapGprError(
            f"found {n_ranks} MPI ranks, expected one process: only soap-gpr fit shares its work "
            "among ranks, this command uses threads (OMP_NUM_THREADS)"
        )
    settings = as_settings(settings)
    data = read_fit_data(settings)
    return replace(data, train=data.ordered)


def hold_out(data: FitData, fraction: float, seed: int) -> FitData:
    """This fraction of the training structures, rounded up, as test set; equal geometries together.

    Isolated atoms stay in training. Raises SoapGprError when the fraction is not between 0 and 1
    or leaves no structure on either side, or when an element occurs in the test only.
    """
    if not 0 < fraction < 1:
        raise SoapGprError(f"held_out: found {fraction}, expected a number between 0 and 1")
    place = _random_places(data.train, math.ceil(1 / min(fraction, 1 - fraction) - 1e-9), seed)
    share = Fraction(fraction).limit_denominator(10**6)
    held = [k >= 0 and math.ceil((k + 1) * share) > math.ceil(k * share) for k in place.tolist()]
    test = [structure for structure, is_held in zip(data.train, held, strict=True) if is_held]
    train = [structure for structure, is_held in zip(data.train, held, strict=True) if not is_held]
    species = set(known_species(data.files, train))
    for structure in test:
        if not species.issuperset(structure.numbers.tolist()):
            raise SoapGprError(
                f"{structure.source}: found elements that occur nowhere else in a structure to be "
                "held out of training, expected test structures by name: set [data] test"
            )
    return replace(data, train=train, test=test)


def prepare(settings: FitSettings, data: FitData, progress: Progress = silent) -> Prepared:
    """Choose the sparse points; raises SoapGprError for anything a user can put right."""
    settings = as_settings(settings)
    potential = has_potential(settings, data.train)
    if not potential:
        require_no_maps(settings)
    apart, train = set_apart(settings, data.train)
    unused = () if potential else terms_without_points(settings.targets, settings.terms)
    choice = choose(settings, train, progress, apart, unused)
    model, K_MM = choice.model, np.zeros((0, 0))
    if potential or any(own.kernel is None for own in settings.targets):
        require_weights(model)
    warnings = [*data.warnings, *choice.warnings]
    if any(wanted(settings)) and not apart:
        warnings.append(SEEN)
    if settings.compress is not None:
        warnings.append(NOT_COMPRESSED)
    if settings.solver.sparse_tolerance is not None:
        warnings.append(NOT_ELIMINATED)
    if potential:
        solver = replace(settings.solver, sparse_tolerance=None)  # no point goes here
        require_possible(model, train, replace(settings, solver=solver), Ranks())
        K_MM = model.kernel_matrix()
    return Prepared(settings, model, train, data.test, K_MM, warnings)


def random_parts(structures: Sequence[Structure], n_parts: int, seed: int) -> np.ndarray:
    """Part (n,) of each structure, 0 to n_parts - 1, at random; -1 for isolated atoms.

    Equal geometries share a part; the order of the structures plays no role. Raises SoapGprError
    when there are fewer different structures than parts.
    """
    place = _random_places(structures, n_parts, seed)
    return np.where(place >= 0, place % n_parts, -1)


def _random_places(structures: Sequence[Structure], n_parts: int, seed: int) -> np.ndarray:
    """Place (n,) of each structure in a random order; -1 for isolated atoms."""
    keys = [fingerprint(structure) for structure in structures]
    free = {key for key, s in zip(keys, structures, strict=True) if not s.is_isolated_atom}
    if len(free) < n_parts:
        raise SoapGprError(
            f"found {len(free)} different training structures, expected at least {n_parts}, one "
            "for each part that the data are divided into"
        )
    order = np.random.default_rng(seed).permutation(len(free))
    place = dict(zip(sorted(free), order.tolist(), strict=True))
    return np.array([place.get(key, -1) for key in keys])


def without_sigmas(structure: Structure) -> Structure:
    """The structure without expected errors and weights of its own."""
    return replace(
        structure,
        sigma_energy=None,
        sigma_force=None,
        sigma_virial=None,
        weight_energy=1.0,
        weight_force=1.0,
        weight_virial=1.0,
    )


def n_labels(structure: Structure) -> int:
    """Of energy, forces and virial."""
    return int(np.count_nonzero(np.isfinite(structure.labels)))


class RowStore:
    """Rows of every structure, say extended ones, computed once where there is room for them.

    The first structures stay in memory, the next in a temporary file, as far as there is room, and
    the rows of the rest are computed whenever they are asked for. Use in a ``with`` block: it
    removes the file. width: of the rows, less one; n_rows: how many a structure has.
    """

    def __init__(
        self,
        make: Callable[[Structure], np.ndarray],
        structures: Sequence[Structure],
        width: int,
        memory_bytes: int = MEMORY_BYTES,
        disk_bytes: int = DISK_BYTES,
        n_rows: Callable[[Structure], int] = n_labels,
    ):
        self._make, self._structures, self._width = make, structures, width
        # Half of the free memory is left to factors, and a tenth of the free disk to others.
        memory_bytes = min(memory_bytes, (available_bytes() or 2 * memory_bytes) // 2)
        disk_bytes = min(disk_bytes, int(0.9 * shutil.disk_usage(tempfile.gettempdir()).free))
        sizes = 8 * (width + 1) * np.array([n_rows(structure) for structure in structures])
        ends = np.cumsum(sizes)
        self._n_memory = int(np.searchsorted(ends, memory_bytes, side="right"))
        self._n_kept = int(np.searchsorted(ends, memory_bytes + disk_bytes, side="right"))
        in_memory, kept = (int(ends[n - 1]) if n else 0 for n in (self._n_memory, self._n_kept))
        self.left = max(0, memory_bytes - in_memory), max(0, disk_bytes - (kept - in_memory))
        self._kept: list[np.ndarray | tuple[int, int]] = []
        self._file = tempfile.TemporaryFile(prefix="soap-gpr-rows-")  # noqa: SIM115

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, *error) -> None:
        self._file.close()

    def fill(self, progress: Progress = silent) -> None:
        """Compute the rows that are kept."""
        items = self._structures[: self._n_kept]
        for rows in ordered_map(self._make, progress(items, "rows")):
            if len(self._kept) < self._n_memory:
                self._kept.append(rows)
            else:
                self._kept.append((self._file.tell(), len(rows)))
                self._write(rows)

    def _write(self, rows: np.ndarray) -> None:
        try:
            self._file.write(rows.tobytes())
            self._file.flush()
        except OSError as error:
            raise SoapGprError(
                f"{tempfile.gettempdir()}: the rows of the training structures cannot be written: "
                f"{error.strerror}; expected room for them, or less of it with --disk"
            ) from None

    def rows(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Rows (n_rows, width + 1) of these structures, one by one."""
        return ordered_map(self._rows_of, indices)

    def _rows_of(self, k: int) -> np.ndarray:
        if k >= len(self._kept):
            return self._make(self._structures[k])
        kept = self._kept[k]
        if isinstance(kept, np.ndarray):
            return kept
        offset, n_rows = kept
        data = os.pread(self._file.fileno(), 8 * n_rows * (self._width + 1), offset)
        return np.frombuffer(data).reshape(n_rows, self._width + 1)

    @property
    def places(self) -> dict[str, int]:
        """How many structures are kept where."""
        n = len(self._structures)
        return {
            "memory": self._n_memory,
            "temporary file": self._n_kept - self._n_memory,
            "computed again": n - self._n_kept,
        }
