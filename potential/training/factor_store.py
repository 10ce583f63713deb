# SPDX-License-Identifier: BSD-3-Clause
"""A fit's triangular factors on disk: other noise, other e0 or more data need no old rows again.

There is one factor of [A C y] for each config_type and label, and with [uncertainty] for each block
of structures, before division by the levels in [noise]; C are compositions, so that targets can
move to another e0 (see ``extended_rows``). [[targets]] have theirs beside them, see
``TargetFactors``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TypeVar

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
from potential.training.accumulation import share_of
from potential.training.auto_noise import LevelGroups
from potential.training.blocks import Blocks, add_to, dealt
from potential.training.checkpoint import nameless, pack_choice, read_choice
from potential.training.choice import Choice
from potential.training.label_groups import UNIT_NOISE, label_rows, level
from potential.training.parts import Parts
from potential.training.regression import BUFFER_ROWS, StreamingQR, Triangle, compact, merge
from potential.training.rows import extended_rows
from potential.training.target_factors import TargetFactors, collapsed, width
from potential.training.target_groups import Group
from potential.training.target_priors import Prior
from potential.training.target_problem import TargetProblem
from potential.version import package_version

_KIND = "factor"
_FORMAT = 9  # of the file

Part = tuple[str, str, int]  # config_type, label and block
TargetPart = tuple[int, int, int]  # a group, the species of atoms, the block
Of = TypeVar("Of", Part, TargetPart)  # of rows


def factor_bytes(
    structures: Sequence[Structure],
    n_weights: int,
    n_species: int,
    of_targets: Sequence[Group] = (),
    n_blocks: int = 1,
) -> int:
    """Memory of the factors of these structures on one rank, with the rows that wait for them; of
    those of all blocks but one without rows of zeros."""
    groups, n = Counter[tuple[str, str]](), n_weights + n_species + 1
    for structure in structures:
        for own in label_rows(structure):
            groups[own.group, own.label] += own.count
    widths = [n] * len(groups)
    widths += [width(own) + 1 for own in of_targets for _ in range(own.n_levels)]
    # about: columns that depend on others leave more rows than there were
    more = sum(min(n, 2 * (n_rows // n_blocks + 1)) * n for n_rows in groups.values())
    more *= n_blocks if n_blocks > 1 else 0
    more += (n_blocks - 1) * sum((width(own) + 1) ** 2 * own.n_levels for own in of_targets)
    return 8 * (more + sum(n * (n + BUFFER_ROWS) for n in widths))


class FactorStore:
    """The triangles of the structures seen so far, and the choice whose rows they hold."""

    def __init__(self, path: str | Path, settings: FitSettings):
        """Raises SoapGprError when the file cannot be written, is damaged or is that of other
        terms."""
        self.path = Path(path)
        self.choice: Choice | None = None
        self.blocks: Blocks | None = None
        self.triangles: dict[Part, np.ndarray] = {}  # with blocks without rows of zeros
        self._n_rows: dict[Part, int] = {}
        self.target_triangles: dict[TargetPart, np.ndarray] = {}
        self._n_target_rows: dict[TargetPart, int] = {}
        self._members: Counter[str] = Counter()
        self._settings = settings
        values = nameless(settings)
        baseline = {k: v for k, v in values["baseline"].items() if k != "isolated_atom_energies"}
        targets = [own | dict.fromkeys(("noise", "scale", "mean")) for own in values["targets"]]
        parts = [values["terms"], targets, baseline, values["extra_species"]]
        self._problem = json.dumps([_FORMAT, package_version(), *parts], sort_keys=True)
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
        plain, problem = replace(settings, noise=UNIT_NOISE), TargetProblem(model, settings)
        if self.blocks is not None:
            add_to(self.blocks, plain, structures)
        elif not self._members:
            self.blocks = dealt(plain, structures)
        mine = share_of(ranks, structures, model)
        parts: dict[Part, tuple[np.ndarray, int]] = {}
        of_targets: dict[TargetPart, tuple[np.ndarray, int]] = {}

        def rows_of(structure: Structure):
            found = problem.rows(structure) if structure.targets else []
            if not structure.has_potential_labels:
                return structure, None, found
            return structure, extended_rows(model, structure, plain), found

        with ranks.together():
            # block by block, so that triangles of one alone are of their full size
            waiting = progress(sorted(mine, key=self._block), "regression")
            for b, of_block in groupby(waiting, key=self._block):
                qrs: dict[tuple[str, str], StreamingQR] = {}
                factors = TargetFactors(problem.groups)
                for structure, rows, found in ordered_map(rows_of, of_block):
                    for own in label_rows(structure):
                        qr = qrs.setdefault((own.group, own.label), StreamingQR(self._n_columns))
                        qr.add(rows[own.rows, :-1], rows[own.rows, -1])
                    factors.add(found)
                for (group, label), qr in qrs.items():
                    parts[group, label, b] = self._kept(qr.finish()), qr.n_rows
                for (g, a), qr in factors.streams.items():
                    of_targets[g, a, b] = self._kept(qr.finish()), qr.n_rows
        self._members.update(structure_digest(structure).hex() for structure in structures)
        self._take_in(self.triangles, self._n_rows, parts, lambda part: self._n_columns, ranks)
        into = self.target_triangles, self._n_target_rows
        self._take_in(*into, of_targets, lambda part: width(problem.groups[part[0]]), ranks)

    def _take_in(
        self,
        triangles: dict[Of, np.ndarray],
        counts: dict[Of, int],
        parts: dict[Of, tuple[np.ndarray, int]],
        n_columns: Callable[[Of], int],
        ranks: Ranks,
    ) -> None:
        """Merge the triangles and numbers of new rows of all ranks into those there are, on the
        first."""
        for part in sorted({part for found in ranks.all_gather(list(parts)) for part in found}):
            nothing = np.zeros((0, n_columns(part) + 1)), 0
            triangle, n_rows = parts.pop(part, nothing)
            _take_in(triangles, counts, part, _square(triangle), n_rows, ranks)
            triangles[part] = self._kept(triangles[part])

    @property
    def _n_columns(self) -> int:
        assert self.choice is not None
        return self.choice.model.n_weights + len(self.choice.model.species)

    def _block(self, structure: Structure) -> int:
        return 0 if self.blocks is None else self.blocks[structure]

    def _kept(self, R: np.ndarray) -> np.ndarray:
        """With blocks there are many triangles of few rows: without those that are zero."""
        return R if self.blocks is None else compact(R)

    def parts(
        self, settings: FitSettings, e0: np.ndarray, groups: LevelGroups | None = None
    ) -> Parts:
        """The triangles of all rows for this noise and e0 (n_species,), one of each block where
        blocks are asked for, and the rows of ``groups`` by themselves."""
        assert self.choice is not None
        M = self.choice.model.n_weights
        n_rows = [0] * (1 + len(groups or ()))
        shift = e0 - self.choice.model.arrays["e0"]
        n_blocks = self.blocks.n_blocks if self.blocks else 1
        qrs = [[StreamingQR(M) for _ in range(n_blocks)] for _ in n_rows]
        for (group, label, b), R in sorted(self.triangles.items()):
            sigma = level(settings.noise, label, group)
            if np.isfinite(sigma):
                k = groups.number(label, group) if groups else 0
                qrs[k][b].add(R[:, :M] / sigma, (R[:, -1] - R[:, M:-1] @ shift) / sigma)
                n_rows[k] += self._n_rows[group, label, b]
        by_block = settings.dealing is not None
        triangles = [[qr.finish() for qr in own] for own in qrs]
        if n_blocks > 1 and not by_block:
            triangles = [[Triangle.of_blocks(own, 0).R] for own in triangles]
        return Parts(triangles, n_rows, by_block)

    def of_targets(
        self, problem: TargetProblem, priors: Sequence[Prior], by_block: bool
    ) -> list[Triangle]:
        """The triangle of the rows of each group of [[targets]], and of those of its blocks."""
        n_blocks = self.blocks.n_blocks if self.blocks else 1
        found = []
        for g, group in enumerate(problem.groups):
            parts: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(n_blocks)]
            for (h, a, b), R in sorted(self.target_triangles.items(), key=lambda item: item[0]):
                if h == g:
                    parts[b].append((a, R))
            n_rows = sum(n for key, n in self._n_target_rows.items() if key[0] == g)
            prior = priors[problem.number(group)]
            own = [collapsed(group, of_block, prior) for of_block in parts]
            triangle = Triangle.of_blocks(own, n_rows if group.n_weights else 0)
            found.append(triangle if by_block else replace(triangle, blocks=[]))
        return found

    def save(self) -> str:
        """Write the file in one step; returns why that was impossible, which is not worth the fit,
        else ""."""
        assert self.choice is not None
        groups = sorted(self.triangles)
        values = {
            "problem": self._problem,
            "blocks": self.blocks.to_dict() if self.blocks else None,
            "members": self._members,
            "groups": [[*group, self._n_rows[group]] for group in groups],
            "targets": [[*key, self._n_target_rows[key]] for key in sorted(self.target_triangles)],
        }
        arrays = {f"R{k}": self.triangles[group] for k, group in enumerate(groups)}
        arrays |= {f"T{g}.{a}.{b}": R for (g, a, b), R in self.target_triangles.items()}
        own_values, own_arrays = pack_choice(self.choice)
        try:
            write_state(self.path, _KIND, values | own_values, own_arrays | arrays)
        except SoapGprError as error:
            return f"{error}; the fit went on without this factor"
        return ""

    def _load(self) -> None:
        values, arrays = read_state(self.path, _KIND)
        if values.get("problem") != self._problem:
            raise SoapGprError(
                f"{self.path}: found the factor of a fit with other [[terms]] or [[targets]], or "
                "another version, expected this one's, or no file: delete it or choose another name"
            )
        self.choice = read_choice(self.path, _KIND, values, arrays)
        try:
            self._members = Counter({str(k): int(n) for k, n in values["members"].items()})
            model = self.choice.model
            n_columns = model.n_weights + len(model.species)
            self.blocks = Blocks.from_dict(values["blocks"]) if values["blocks"] else None
            places = range(self.blocks.n_blocks if self.blocks else 1)
            for k, (group, label, b, n_rows) in enumerate(values["groups"]):
                part = str(group), str(label), places[b]
                self._n_rows[part] = int(n_rows)
                self.triangles[part] = self._checked(arrays[f"R{k}"], n_columns)
            groups = TargetProblem(model, self._settings).groups if values["targets"] else []
            for g, a, b, n_rows in values["targets"]:
                own = groups[range(len(groups))[g]]
                R = self._checked(arrays[f"T{g}.{a}.{b}"], width(own))
                self.target_triangles[g, range(own.n_species)[a], places[b]] = R
                self._n_target_rows[g, a, b] = int(n_rows)
            if any(label not in LABELS for _, label, _ in self.triangles):
                raise ValueError("labels")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            raise damaged(self.path, _KIND) from None
        self._require_blocks()

    def _checked(self, R: np.ndarray, n_columns: int) -> np.ndarray:
        """What ``_kept`` has left of a triangle, from the file; raises ValueError when it is not
        one of so many columns."""
        rows, width = R.shape
        all_rows = rows == width if self.blocks is None else rows <= width
        if width != n_columns + 1 or not all_rows or not np.isfinite(R).all():
            raise ValueError(f"found a factor of shape {R.shape}")
        return R

    def _require_blocks(self) -> None:
        """Raise SoapGprError when other blocks are asked for than those of the factor."""
        wanted, found = self._settings.dealing, self.blocks
        if wanted is None or (found is not None and found.agrees(wanted)):
            return
        table = wanted.key.split(" n_blocks")[0]
        words = f'{found.n_blocks} blocks by "{found.kind}"' if found else "no blocks"
        raise SoapGprError(
            f"{self.path}: found a factor of {words}, expected those of {table}: delete it "
            "or choose another name"
        )


def _take_in(
    triangles: dict[Of, np.ndarray],
    n_rows: dict[Of, int],
    group: Of,
    triangle: np.ndarray,
    new: int,
    ranks: Ranks,
) -> None:
    """Merge the triangles of new rows of all ranks into that of a group, on the first."""
    ranks.combine(triangle, lambda other: merge(triangle, other))
    if group in triangles and ranks.is_first:
        merge(triangle, np.array(triangles[group], order="F"))
    triangles[group] = triangle
    n_rows[group] = n_rows.get(group, 0) + sum(ranks.all_gather(new))


def _square(R: np.ndarray) -> np.ndarray:
    """With the rows of zeros that are not kept."""
    missing = R.shape[1] - len(R)
    return np.asfortranarray(np.pad(R, ((0, missing), (0, 0))))
