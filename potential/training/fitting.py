# SPDX-License-Identifier: BSD-3-Clause
"""Training: settings → data → sparse points → regression → model (theory.md section 5).

Each step is a function that takes values and returns one, with what it has to say; here they are
put in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ase
import numpy as np
from threadpoolctl import threadpool_limits

from potential.errors import SoapGprError
from potential.model import Model
from potential.runtime.output import require_outputs
from potential.runtime.progress import Progress, bar, silent
from potential.runtime.ranks import Ranks, world
from potential.scores import metrics, properties
from potential.settings import FitSettings
from potential.settings.file import as_settings
from potential.settings.targets import terms_without_points
from potential.structures.structure import Structure
from potential.terms import TrainingModel
from potential.training.auto_noise import NOTHING_TO_FIND, FoundNoise, found_noise
from potential.training.blocks import Blocks, dealt
from potential.training.checkpoint import TARGETS, Checkpoint, checkpoint_path
from potential.training.choice import Choice, common_choice
from potential.training.compression import compressed, require_rows
from potential.training.data import FitData, read_fit_data
from potential.training.elimination import eliminated
from potential.training.factor_store import FactorStore
from potential.training.fit_rows import fit_checkpoint, made_rows, stored_choice, stored_rows, timed
from potential.training.maps import require_no_maps, with_maps_of
from potential.training.memory import keeps_factor
from potential.training.model_errors import all_errors, all_shares
from potential.training.noise import has_potential
from potential.training.provenance import provenance, solved
from potential.training.regression import Solution, Triangle, solve
from potential.training.target_uncertainty import require_measure, unmeasured_targets
from potential.training.targets import fit_targets
from potential.training.uncertainty import FullFit, with_uncertainty


@dataclass
class FitResult:
    """A fitted model with what there is to say about the fit."""

    model: Model
    train: list[Structure]
    test: list[Structure]
    train_errors: metrics.Errors
    test_errors: metrics.Errors
    provenance: dict[str, Any]  # what the model file stores: counts, errors, hashes, versions
    train_property_errors: properties.PropertyErrors = field(default_factory=dict)  # of targets
    test_property_errors: properties.PropertyErrors = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    checkpoint: Checkpoint | None = None  # to be removed once the model is safe


def fit(
    settings: FitSettings | Mapping[str, Any] | str | Path,
    *,
    train: Iterable[ase.Atoms] | None = None,
    test: Iterable[ase.Atoms] | None = None,
    progress: bool | Progress = True,
    checkpoint: str | Path | None = None,
    factor: str | Path | None = None,
) -> FitResult:
    """Train a model.

    settings: the path of a fit.toml, the same as nested dictionaries, or FitSettings. train, test:
    frames in place of the files of [data] train and test, which may then be absent; labels are
    looked for as in files, under the same keys, also among the results of a calculator, which must
    be those of the frame as it is. Messages call them ``train[3]``; the model file records their
    number and a digest. progress: bars on stderr when that is a terminal, or what shows progress.
    checkpoint: a file that keeps the state of the regression, with another, its name and
    ``.targets``, for that of [[targets]]; a later call with the same settings, data and number of
    ranks goes on from it. factor: a file that keeps the triangular factors; a
    later call with other noise, e0 or jitter, or with more structures, keeps the sparse points and
    makes rows for new structures alone. The result does not depend on the order of the structures,
    and on the number of threads and MPI ranks in rounding alone. On several ranks all of them call
    this and get the same result; the frames are those of the first rank, others may pass None.
    Raises SoapGprError for anything a user can put right.
    """
    ranks = world()
    given = ranks.from_first(lambda: train is not None)
    settings = as_settings(settings, data_required=not given)
    if checkpoint and factor:
        raise SoapGprError("found a checkpoint and a factor, expected one of them")
    require_rows(settings, factor)
    with ranks.together():
        state = checkpoint and checkpoint_path(checkpoint, ranks)
        of_targets = (
            checkpoint and settings.targets and checkpoint_path(f"{checkpoint}{TARGETS}", ranks)
        )
        require_outputs([state, of_targets or None, factor])
    if isinstance(progress, bool):
        progress = bar if progress else silent
    progress = progress if ranks.is_first else silent
    # Threads are spread over structures. BLAS threads beside them wait for each other in every
    # small product, which takes for ever beside other work.
    with threadpool_limits(limits=1, user_api="blas"):
        return _fit(settings, (train, test), ranks, progress, checkpoint, factor)


def _fit(
    settings: FitSettings,
    frames: tuple[Iterable[ase.Atoms] | None, Iterable[ase.Atoms] | None],
    ranks: Ranks,
    progress: Progress,
    checkpoint: str | Path | None,
    factor: str | Path | None,
) -> FitResult:
    seconds: dict[str, float] = {}
    with timed(seconds, "read"):
        data = ranks.from_first(lambda: read_fit_data(settings, *frames))
    asked = data.settings
    settings = replace(asked, noise=asked.noise.start)
    if not has_potential(settings, data.ordered):
        return _fit_targets_alone(asked, data, ranks, progress, checkpoint, factor, seconds)
    if factor is None:
        rows = made_rows(asked, settings, data, ranks, progress, checkpoint, seconds)
    else:
        rows = stored_rows(asked, settings, data, ranks, progress, factor, seconds)
    model = rows.choice.model  # with what its terms keep for rows, which K_MM and weights need too
    found = FoundNoise(settings.noise)
    if (groups := rows.groups) is not None:
        with timed(seconds, "noise"):
            found = ranks.from_first(lambda: found_noise(groups, rows.parts, model, settings))
        settings = replace(settings, noise=found.noise)
    triangle, record = rows.parts.triangle(found.scales, found.delta), found.record
    said = [*triangle.warnings, *found.warnings]
    if (tolerance := settings.solver.sparse_tolerance) is not None:
        with timed(seconds, "elimination"):
            fewer = eliminated(model, triangle, tolerance, settings, ranks, progress)
        model, triangle, record = fewer.model, fewer.triangle, record | fewer.record
        if rows.kept is not None:
            rows.kept.want(fewer.keep)
    R = triangle.R.copy(order="F") if keeps_factor(settings) and ranks.is_first else None
    with timed(seconds, "solution"):
        solution = _solution(model, triangle, settings, ranks)
    model = model.with_weights(solution.weights, triangle=ranks.from_first(lambda: R))
    if not np.array_equal(rows.e0, model.arrays["e0"]):  # that of a factor is of fewer structures
        model = model.with_arrays({"e0": rows.e0})
    data, warnings = rows.data, [*rows.data.warnings, *rows.choice.warnings, *said]
    regression = solved(solution, triangle.n_rows, found.delta) | record
    if settings.uncertainty is not None and (blocks := rows.blocks) is not None:
        with timed(seconds, "uncertainty"):
            of = (model, solution.weights, triangle, blocks, settings, rows.ordered, data.test)
            measured = with_uncertainty(FullFit(*of, ranks, progress, rows.kept))
        model, warnings = measured.model, warnings + measured.warnings
        regression |= {"uncertainty": measured.record}
    own = rows.choice, rows.state, rows.store, rows.blocks, found.delta
    steps = _Steps(asked, settings, data, ranks, progress, seconds, *own)
    return _finished(steps, model, warnings, regression)


@dataclass(frozen=True)
class _Steps:
    """What the end of a fit takes from its beginning."""

    asked: FitSettings
    settings: FitSettings  # with the noise levels that were found
    data: FitData
    ranks: Ranks
    progress: Progress
    seconds: dict[str, float]
    choice: Choice
    state: Checkpoint | None = None
    store: FactorStore | None = None
    blocks: Blocks | None = None
    delta: float = 1.0  # that the noise levels were found with


def _fit_targets_alone(
    asked: FitSettings,
    data: FitData,
    ranks: Ranks,
    progress: Progress,
    checkpoint: str | Path | None,
    factor: str | Path | None,
    seconds: dict[str, float],
) -> FitResult:
    """A model of [[targets]] without a potential."""
    settings = replace(asked, noise=asked.noise.start)
    if settings.solver.keep_factor:
        raise SoapGprError(
            "[solver] keep_factor: found no energies, forces or virials to fit, expected them for "
            "the factor that the model keeps, which has nothing of [[targets]]"
        )
    require_no_maps(settings)
    require_measure(settings)
    state, store, said, blocks = None, None, list[str](), dealt(settings, data.ordered)
    if factor:
        store, choice, said = stored_choice(
            factor, settings, data.ordered, ranks, progress, seconds
        )
        blocks = store.blocks
    else:
        state = fit_checkpoint(checkpoint, asked, data.ordered, ranks)
        with timed(seconds, "sparse points"):
            stored = state.choice if state else None
            unused = terms_without_points(settings.targets, settings.terms)
            choice = common_choice(
                settings, data.ordered, ranks, progress, stored, without_points=unused
            )
    warnings = [*data.warnings, *choice.warnings, *said]
    warnings.append("the model has targets and no potential")
    if asked.compress is not None and asked.compress.refit:
        warnings.append("[compress] refit: there is no potential, whose weights it is about")
    if asked.noise.is_auto:
        warnings.append(NOTHING_TO_FIND)
    steps = _Steps(asked, settings, data, ranks, progress, seconds, choice, state, store, blocks)
    return _finished(steps, choice.model, warnings)


def _finished(
    steps: _Steps,
    model: TrainingModel,
    warnings: list[str],
    regression: dict[str, Any] | None = None,
) -> FitResult:
    """The model with its targets, errors and record; regression: what the record says of that of
    the potential, None without one."""
    settings, data, ranks, progress = steps.settings, steps.data, steps.ranks, steps.progress
    potential, seconds = regression is not None, steps.seconds
    with timed(seconds, "targets"):
        fitted = fit_targets(
            model,
            data.ordered,
            settings,
            ranks,
            progress,
            potential=potential,
            choice=steps.choice,
            checkpoint=steps.state and steps.state.targets,
            store=steps.store,
            blocks=steps.blocks,
            test=data.test,
        )
    model, warnings = fitted.model, warnings + fitted.warnings
    warnings += unmeasured_targets(settings)
    with timed(seconds, "compression"):
        of = settings, data.ordered, ranks, progress, steps.delta if potential else None
        smaller = compressed(model, *of)
    model, warnings = smaller.model, warnings + smaller.warnings
    measured = (regression or {}).get("uncertainty", {}) | fitted.uncertainty
    with timed(seconds, "errors"):
        errors = {
            name: all_errors(model, structures, ranks, progress, f"{words} errors")
            for name, words, structures in (
                ("train", "training", data.train),
                ("test", "test", data.test),
            )
        }
        shares = all_shares(model, data, ranks, progress) if potential else {}
    for step, asked_for in (("targets", settings.targets), ("compression", settings.compress)):
        if not asked_for:
            seconds.pop(step)
    record = ranks.from_first(
        lambda: (
            provenance(settings, data, model, errors["train"][0], errors["test"][0])
            | (regression or {})
            | smaller.record
            | _record_of_targets(fitted.records, errors)
            | shares
            | ({"uncertainty": measured} if measured else {})
            | {"ranks": ranks.size, "seconds": seconds, "warnings": warnings}
        )
    )
    asked = with_maps_of(steps.asked, model)
    # A choice of a checkpoint or factor may have other names of files, or other noise, on record.
    model = model.with_record(asked.to_dict(), record)
    return FitResult(
        model,
        data.train,
        data.test,
        errors["train"][0],
        errors["test"][0],
        record,
        errors["train"][1],
        errors["test"][1],
        warnings,
        steps.state,
    )


def _record_of_targets(records: list[dict[str, Any]], errors: Mapping[str, Any]) -> dict[str, Any]:
    if not records:
        return {}
    return {"targets": records} | {
        f"{name}_target_errors": metrics.plain(own) for name, (_, own) in errors.items()
    }


def _solution(
    model: TrainingModel, triangle: Triangle, settings: FitSettings, ranks: Ranks
) -> Solution:
    """Weights of all ranks; the triangle is overwritten."""
    if triangle.n_rows == 0:
        raise SoapGprError(
            f"{settings.file}: [noise]: found inf for every label, expected some to be fitted"
        )
    jitter = settings.solver.jitter
    return ranks.from_first(
        lambda: solve(triangle.R, model.kernel_matrix(), jitter, overwrite=True)
    )
