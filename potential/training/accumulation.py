# SPDX-License-Identifier: BSD-3-Clause
"""The pass over the training structures: their rows go into one triangle per rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from potential.runtime.parallel import ordered_map
from potential.runtime.progress import Progress, silent
from potential.runtime.ranks import Ranks
from potential.settings import FitSettings
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.checkpoint import Checkpoint, deferred_interrupts
from potential.training.choice import Choice
from potential.training.regression import StreamingQR, Triangle, merge
from potential.training.rows import row_cost, weighted_rows


def accumulate(
    choice: Choice,
    structures: Sequence[Structure],
    settings: FitSettings,
    ranks: Ranks,
    progress: Progress = silent,
    checkpoint: Checkpoint | None = None,
) -> Triangle:
    """The triangle of the rows of all structures; only the first rank's is that of all ranks.

    Its warnings are of checkpoints that could not be written, on any rank. Raises
    KeyboardInterrupt, with the checkpoint written, when the process is told to stop, and
    SoapGprError when it cannot be written then.
    """
    model, warning = choice.model, ""
    mine = [structures[k] for k in ranks.share(structures, lambda s: row_cost(s, model.cutoff))]
    qr = StreamingQR(model.n_weights)
    with ranks.together():
        if checkpoint is None:
            for _ in _added(qr, model, mine, settings, progress):
                pass
        else:
            warning = _add_with_checkpoints(qr, choice, mine, settings, progress, checkpoint)
    R = qr.finish()
    ranks.combine(R, lambda other: merge(R, other))
    return Triangle(R, sum(ranks.all_gather(qr.n_rows)), said_on(ranks, warning))


def said_on(ranks: Ranks, warning: str) -> list[str]:
    """What each rank has to say, known to all of them; "" is nothing."""
    return [said for said in ranks.all_gather(warning) if said]


def _added(
    qr: StreamingQR,
    model: TrainingModel,
    structures: Sequence[Structure],
    settings: FitSettings,
    progress: Progress,
) -> Iterator[None]:
    """Add the rows of structure after structure, and yield after each."""

    def rows_of(structure: Structure):
        return weighted_rows(model, structure, settings)

    for rows, targets in ordered_map(rows_of, progress(structures, "regression")):
        qr.add(rows, targets)
        yield


def _add_with_checkpoints(
    qr: StreamingQR,
    choice: Choice,
    structures: Sequence[Structure],
    settings: FitSettings,
    progress: Progress,
    checkpoint: Checkpoint,
) -> str:
    """Why the checkpoint could not be written at some time, or ""."""
    done, warning = checkpoint.resume(qr, len(structures)), ""
    with deferred_interrupts() as received:
        for _ in _added(qr, choice.model, structures[done:], settings, progress):
            done += 1
            if received:
                checkpoint.save(choice, qr, done)
                raise KeyboardInterrupt
            warning = checkpoint.save_at_times(choice, qr, done) or warning
        return checkpoint.save_at_times(choice, qr, done, now=True) or warning
