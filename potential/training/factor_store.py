# SPDX-License-Identifier: BSD-3-Clause
"""A fit's triangular factors on disk: other noise, other e0 or more data need no old rows again.

There is one factor of [A C y] for each config_type and label, before division by the levels
in [noise]; C are compositions, so that targets can move to another e0 (see ``extended_rows``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from potential.errors import SoapGprError
from potential.runtime.output import require_writable
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.runtime.state_file import damaged, read_state, write_state
from potential.settings import FitSettings
from potential.structures.digests import structure_digest
from potential.structures.label_table import LABELS
from potential.structures.structure import Structure
from potential.training.checkpoint import nameless, pack_choice, read_choice
from potential.training.choice import Choice
from potential.training.label_groups import UNIT_NOISE, label_rows, level
from potential.training.regression import BUFFER_ROWS, StreamingQR, Triangle, merge
from potential.training.rows import extended_rows, row_cost
from potential.version import package_version

_KIND = "factor"
_FORMAT = 4  # of the file


def factor_bytes(structures: Sequence[Structure], n_weights: int, n_species: int) -> int:
    """Memory of the factors of these structures on one rank, with the rows that wait for them."""
    groups = {(own.group, own.label) for s in structures for own in label_rows(s)}
    width = n_weights + n_species + 1
    return 8 * len(groups) * width * (width + BUFFER_ROWS)


class FactorStore:
    """The triangles of the structures seen so far, and the choice whose rows they hold."""

    def __init__(self, path: str | Path, settings: FitSettings):
        """Raises SoapGprError when the file cannot be written, is damaged or is that of other
        terms."""
        self.path = Path(path)
        self.choice: Choice | None = None
        self.triangles: dict[tuple[str, str], np.ndarray] = {}
        self._n_rows: dict[tuple[str, str], int] = {}
        self._members: Counter[str] = Counter()
        values = nameless(settings)
        baseline = {k: v for k, v in values["baseline"].items() if k != "isolated_atom_energies"}
        self._problem = json.dumps(
            [_FORMAT, package_version(), values["terms"], baseline, values["extra_species"]],
            sort_keys=True,
        )
        require_writable(self.path)
        if self.path.exists():
            self._load()

    def new(self, structures: Sequence[Structure]) -> list[Structure]:
        """Those that the factors do not hold. Raises SoapGprError when they hold others too."""
        held, fresh = Counter(self._members), []
        for structure in structures:
            key = structure_digest(structure).hex()
            if held[key]:
                held[key] -= 1
            else:
                fresh.append(structure)
        gone = sum(held.values())
        if gone:
            raise SoapGprError(
                f"{self.path}: found {gone} structures that [data] train lacks or labels "
                "differently, expected all of them there, as a factor cannot forget: delete it"
            )
        return fresh

    def add(
        self,
        choice: Choice,
        structures: Sequence[Structure],
        settings: FitSettings,
        ranks: Ranks,
        progress: Progress = silent,
    ) -> None:
        """Take in the rows of more structures; the first rank then has those of all ranks."""
        self.choice, model = choice, choice.model
        width = model.n_weights + len(model.species)
        plain = replace(settings, noise=UNIT_NOISE)
        parts: dict[tuple[str, str], StreamingQR] = {}
        mine = [structures[k] for k in ranks.share(structures, lambda s: row_cost(s, model.cutoff))]

        def rows_of(structure: Structure):
            return structure, extended_rows(model, structure, plain)

        with ranks.together():
            for structure, rows in ordered_map(rows_of, progress(mine, "regression")):
                for own in label_rows(structure):
                    group = own.group, own.label
                    if group not in parts:
                        parts[group] = StreamingQR(width)
                    parts[group].add(rows[own.rows, :-1], rows[own.rows, -1])
        self._members.update(structure_digest(structure).hex() for structure in structures)
        groups = sorted({group for found in ranks.all_gather(list(parts)) for group in found})
        for group in groups:
            qr = parts.pop(group) if group in parts else StreamingQR(width)
            self._take_in(group, qr, ranks)

    def triangle(self, settings: FitSettings, e0: np.ndarray) -> Triangle:
        """The triangle of all rows for this noise and e0 (n_species,)."""
        assert self.choice is not None
        M, n_rows = self.choice.model.n_weights, 0
        shift = e0 - self.choice.model.arrays["e0"]
        qr = StreamingQR(M)
        for (group, label), R in sorted(self.triangles.items()):
            sigma = level(settings.noise, label, group)
            if np.isfinite(sigma):
                qr.add(R[:, :M] / sigma, (R[:, -1] - R[:, M:-1] @ shift) / sigma)
                n_rows += self._n_rows[group, label]
        return Triangle(qr.finish(), n_rows)

    def save(self) -> str:
        """Write the file in one step; returns why that was impossible, which is not worth the fit,
        else ""."""
        assert self.choice is not None
        groups = sorted(self.triangles)
        values = {
            "problem": self._problem,
            "members": self._members,
            "groups": [[*group, self._n_rows[group]] for group in groups],
        }
        arrays = {f"R{k}": self.triangles[group] for k, group in enumerate(groups)}
        own_values, own_arrays = pack_choice(self.choice)
        try:
            write_state(self.path, _KIND, values | own_values, own_arrays | arrays)
        except SoapGprError as error:
            return f"{error}; the fit went on without this factor"
        return ""

    def _take_in(self, group: tuple[str, str], qr: StreamingQR, ranks: Ranks) -> None:
        triangle = qr.finish()
        ranks.combine(triangle, lambda other: merge(triangle, other))
        n_rows = sum(ranks.all_gather(qr.n_rows))
        if group in self.triangles and ranks.is_first:
            merge(triangle, np.array(self.triangles[group], order="F"))
        self.triangles[group] = triangle
        self._n_rows[group] = self._n_rows.get(group, 0) + n_rows

    def _load(self) -> None:
        values, arrays = read_state(self.path, _KIND)
        if values.get("problem") != self._problem:
            raise SoapGprError(
                f"{self.path}: found the factor of a fit with other [[terms]] or another version, "
                "expected this one's, or no file: delete it or choose another name"
            )
        self.choice = read_choice(self.path, _KIND, values, arrays)
        try:
            self._members = Counter({str(k): int(n) for k, n in values["members"].items()})
            for k, (group, label, n_rows) in enumerate(values["groups"]):
                self.triangles[str(group), str(label)] = self._checked(arrays[f"R{k}"])
                self._n_rows[str(group), str(label)] = int(n_rows)
            if any(label not in LABELS for _, label in self.triangles):
                raise ValueError("labels")
        except (KeyError, TypeError, ValueError, AttributeError):
            raise damaged(self.path, _KIND) from None

    def _checked(self, R: np.ndarray) -> np.ndarray:
        """A triangle of the file; raises ValueError when it is not one of the model's."""
        assert self.choice is not None
        model = self.choice.model
        width = model.n_weights + len(model.species) + 1
        if R.shape != (width, width) or not np.isfinite(R).all():
            raise ValueError(f"found a factor of shape {R.shape}")
        return R
