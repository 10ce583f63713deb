# SPDX-License-Identifier: BSD-3-Clause
"""Blocks of structures that are left out of a fit together, by the members of a committee, by
calibration (docs/theory.md eq. 25) and for the number of sparse points (eq. 19b)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from potential.errors import SoapGprError
from potential.settings import FitSettings
from potential.settings.uncertainty import BY_CONFIG_TYPE, Dealing
from potential.structures.digests import structure_digest
from potential.structures.structure import Structure
from potential.training.noise import row_sigmas


@dataclass
class Blocks:
    """Who is in which block: structures by their digests, or config_types by their names.

    Equal structures are always together. More of them may be added, and find their old blocks.
    """

    kind: str
    n_blocks: int
    usual: int  # of the settings that they were dealt for
    of: dict[str, int] = field(default_factory=dict)  # block of each digest or config_type
    sizes: list[int] = field(default_factory=list)  # structures of each block

    @classmethod
    def dealt(cls, how: Dealing, structures: Sequence[Structure], what: str = "") -> Blocks:
        """The structures, in blocks as equal as whole config_types allow. what: in front of
        messages. Raises SoapGprError when there are fewer than blocks."""
        found = len({_unit(how.blocks, s) for s in structures})
        wanted = how.n_blocks or max(min(found, how.usual), _LEAST)
        if found < wanted:
            units = "config_types" if how.blocks == BY_CONFIG_TYPE else "different structures"
            raise SoapGprError(
                f"{what}{how.key}: found {found} {units} to fit, expected at least "
                f"{wanted}, one for each block"
            )
        blocks = cls(how.blocks, wanted, how.usual, {}, [0] * wanted)
        blocks.add(structures)
        return blocks

    def add(self, structures: Iterable[Structure]) -> None:
        """Deal more structures: the largest unit first to the smallest block, in an order that
        files do not set."""
        count = Counter(_unit(self.kind, structure) for structure in structures)
        for unit, n in sorted(count.items(), key=lambda item: (-item[1], item[0])):
            if unit not in self.of:
                self.of[unit] = self.sizes.index(min(self.sizes))
            self.sizes[self.of[unit]] += n

    def __getitem__(self, structure: Structure) -> int:
        """The block of a structure that was dealt; 0 for others, of which nothing is fitted."""
        return self.of.get(_unit(self.kind, structure), 0)

    def agrees(self, how: Dealing) -> bool:
        """Whether these are the blocks that are asked for."""
        same = (how.blocks, how.usual) == (self.kind, self.usual)
        return same and how.n_blocks in (None, self.n_blocks)

    def to_dict(self) -> dict:
        """Plain JSON types."""
        return {"kind": self.kind, "usual": self.usual, "of": self.of, "sizes": self.sizes}

    @classmethod
    def from_dict(cls, values: Mapping) -> Blocks:
        """The inverse of ``to_dict``. Raises KeyError, TypeError or ValueError."""
        sizes = [int(n) for n in values["sizes"]]
        of = {str(unit): int(b) for unit, b in values["of"].items()}
        if len(sizes) < _LEAST or not all(0 <= b < len(sizes) for b in of.values()):
            raise ValueError("found no blocks")
        return cls(str(values["kind"]), len(sizes), int(values["usual"]), of, sizes)


_LEAST = 4  # blocks, of which two are in each half


def dealt(settings: FitSettings, structures: Sequence[Structure]) -> Blocks | None:
    """The blocks of the structures that are fitted, None where none are asked for. Raises
    SoapGprError when there are fewer than blocks."""
    if settings.dealing is None:
        return None
    own, others = _in_two(settings, structures)
    if not own and not others:
        raise SoapGprError(
            f"{settings.file}: [noise]: found inf for every label, expected some to be fitted"
        )
    blocks = Blocks.dealt(settings.dealing, own or others, f"{settings.file}: ")
    if own:
        blocks.add(others)
    return blocks


def add_to(blocks: Blocks, settings: FitSettings, structures: Sequence[Structure]) -> None:
    """Deal more structures, in the order of ``dealt``."""
    for some in _in_two(settings, structures):
        blocks.add(some)


def _in_two(
    settings: FitSettings, structures: Sequence[Structure]
) -> tuple[list[Structure], list[Structure]]:
    """Those that the potential is fitted to, which are dealt first, so that labels of [[targets]]
    alone do not change their blocks; and those that have such labels alone."""
    own = fitted(settings, structures)
    known = set(map(id, own))
    return own, [s for s in structures if s.targets and id(s) not in known]


def fitted(settings: FitSettings, structures: Sequence[Structure]) -> list[Structure]:
    """Those that have labels of energies, forces or virials with a finite expected error."""
    return [s for s in structures if np.isfinite(row_sigmas(settings.noise, s)).any()]


def in_fixed_order(structures: Iterable[Structure]) -> list[Structure]:
    """By digest, an order that is as good as random and that files do not set: the first n of them
    are of all blocks and config_types in their proportions."""
    return sorted(structures, key=structure_digest)


def _unit(kind: str, structure: Structure) -> str:
    by_type = kind == BY_CONFIG_TYPE
    return structure.config_type if by_type else structure_digest(structure).hex()
