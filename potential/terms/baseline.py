# SPDX-License-Identifier: BSD-3-Clause
"""Fixed terms of [baseline]: a fit takes them off the labels, the model adds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from potential.settings import BaselineSettings
from potential.terms.fixed_pair import fixed_pair_draft
from potential.terms.pair_table import table_functions
from potential.terms.term import Draft
from potential.terms.zbl import zbl_functions


def fixed_terms(settings: BaselineSettings, species: Sequence[int]) -> list[Draft]:
    """Drafts of terms without weights. Raises SoapGprError."""
    terms = []
    if settings.zbl is not None:
        terms.append(fixed_pair_draft("zbl", zbl_functions(settings.zbl, species), species))
    if settings.pair_table is not None:
        name = Path(settings.pair_table).name
        terms.append(fixed_pair_draft(name, table_functions(settings.pair_table, species), species))
    return terms
