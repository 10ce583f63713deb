# SPDX-License-Identifier: BSD-3-Clause
"""One coordinate of a GAP potential with what its descriptor says."""

from __future__ import annotations

from typing import Any, NamedTuple

from potential.errors import SoapGprError
from potential.gap.read.gap_file import Coordinate


class Entry(NamedTuple):
    name: str  # of the descriptor, in lower case
    values: dict[str, Any]  # its options, defaults filled in
    coordinate: Coordinate
    compact: bool  # whether clusters of distance_Nb are compact

    @property
    def loose(self) -> bool:
        """Whether it is of clusters that are not compact, which QUIP visits once."""
        return self.name == "distance_nb" and not self.compact

    @property
    def cutoffs(self) -> tuple[float, float]:
        """cutoff and cutoff_transition_width, Å, of pairs and triplets. Raises SoapGprError."""
        cutoff, width = self.values["cutoff"], self.values["cutoff_transition_width"]
        if not (0 < cutoff <= 100 and 0 < width <= cutoff):
            raise SoapGprError(
                f"{self.coordinate.where}: found cutoff={cutoff:g} and "
                f"cutoff_transition_width={width:g}, expected "
                "0 < cutoff_transition_width <= cutoff <= 100"
            )
        return cutoff, width

    @property
    def kind(self) -> str:
        """soap, pair or triplet. Raises SoapGprError for more than three atoms."""
        order = self.values.get("order")
        if self.name in ("soap", "soap_turbo"):
            return "soap"
        if self.name == "distance_2b" or order == 2:
            return "pair"
        if self.name == "angle_3b" or order == 3:
            return "triplet"
        raise SoapGprError(
            f"{self.coordinate.where}: distance_Nb of order {order} cannot be imported, expected 2 "
            "or 3"
        )
