# SPDX-License-Identifier: BSD-3-Clause
"""[noise]: the expected errors of labels, given or to be found by the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from potential.schema import ByName, Group, Nested, Number, Place, Settings, setting
from potential.schema.limits import MOST_NOISE
from potential.schema.settings import default, keys
from potential.structures.labels import SMALLEST_SIGMA

AUTO = "auto"  # a multiple of the default that the fit finds, docs/theory.md eq. (28)


def _sigma(unit: str, text: str) -> Number:
    return Number(
        least=SMALLEST_SIGMA, most=MOST_NOISE, infinite=True, word=AUTO, unit=unit, help=text
    )


@dataclass(frozen=True)
class Sigmas(Settings):
    """Expected errors of the labels: eV/atom, eV/Å, eV/atom; inf leaves the label out, AUTO is
    found by the fit."""

    table: ClassVar[str] = "noise"

    energy_per_atom: float | str = setting(
        0.002, _sigma("eV", r"$s_E$; the total energy of $N$ atoms gets $s_E \sqrt N$")
    )
    force: float | str = setting(0.05, _sigma("eV/Å", "$s_F$ of every force component"))
    virial_per_atom: float | str = setting(
        0.02, _sigma("eV", r"$s_W$; every virial component of $N$ atoms gets $s_W \sqrt N$")
    )

    @property
    def start(self) -> Sigmas:
        """The same with the defaults, from which the search begins, in the place of AUTO."""
        auto = {key: default(Sigmas, key) for key, own in vars(self).items() if own == AUTO}
        return replace(self, **auto)


WORDS = {AUTO: dict.fromkeys(keys(Sigmas), AUTO)}  # in the place of a table


@dataclass(frozen=True)
class NoiseSettings(Settings):
    """[noise]: the sigmas of all structures, and those of single config_types."""

    table: ClassVar[str] = "noise"

    default: Sigmas = setting(Sigmas(), Group(Sigmas))
    config_type: Mapping[str, Sigmas] = setting(
        {},
        ByName(
            Nested(Sigmas, words=WORDS),
            help='the three above for a config_type, or `"auto"` for all of them; what is not '
            "given is as in `[noise]`",
        ),
    )

    @classmethod
    def given(cls, values: dict[str, Any], place: Place) -> dict[str, Any]:
        """What a config_type does not give is as in [noise]."""
        by_type = values.get("config_type")
        if not isinstance(by_type, Mapping):
            return values
        shared = {key: values[key] for key in keys(Sigmas) if key in values}
        filled = {
            name: {**shared, **own} if isinstance(own, Mapping) else own
            for name, own in by_type.items()
        }
        return values | {"config_type": filled}

    def of(self, config_type: str) -> Sigmas:
        """Those of a config_type."""
        return self.config_type.get(config_type, self.default)

    @property
    def is_auto(self) -> bool:
        """Whether the fit has levels to find."""
        return any(AUTO in vars(own).values() for own in (self.default, *self.config_type.values()))

    @property
    def start(self) -> NoiseSettings:
        """Levels that are numbers, from which the search for the others begins."""
        by_type = {name: own.start for name, own in self.config_type.items()}
        return replace(self, default=self.default.start, config_type=by_type)
