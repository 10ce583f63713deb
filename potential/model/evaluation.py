# SPDX-License-Identifier: BSD-3-Clause
"""Many structures through one model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from potential.errors import SoapGprError
from potential.model.model import Model
from potential.model.result import Evaluation
from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.structures.structure import Structure


@contextmanager
def naming(structure: Structure) -> Iterator[None]:
    """Put the origin of the structure in front of what the core or the model has to say."""
    try:
        yield
    except SoapGprError as error:
        raise SoapGprError(f"{structure.source}: {error}") from None


def evaluate_structures(
    model: Model,
    structures: Sequence[Structure],
    progress: Progress = silent,
    what: str = "evaluation",
    *,
    labels_only: bool = False,
    targets: bool = True,
    uncertainty: Collection[str] = (),
) -> list[Evaluation]:
    """One Evaluation per structure; errors name the structure.

    labels_only: without forces and virials of structures that have no such labels, for errors.
    targets: with the further properties of the model; uncertainty: measures of ``Model.evaluate``.
    """

    def evaluate(structure: Structure) -> Evaluation:
        forces = not labels_only or structure.forces is not None or structure.virial is not None
        with naming(structure):
            return model.evaluate(
                structure, forces=forces, targets=targets, uncertainty=uncertainty
            )

    return list(ordered_map(evaluate, progress(structures, what)))
