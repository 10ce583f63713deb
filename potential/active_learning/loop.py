# SPDX-License-Identifier: BSD-3-Clause
"""The loop: sample, select, label, fit, report, and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from potential.active_learning.choose import Chosen, choose
from potential.active_learning.errors import errors_of
from potential.active_learning.label.labeller import Labels, Waiting, label_all
from potential.active_learning.plan import Plan
from potential.active_learning.report import errors_shown, write_report
from potential.active_learning.sample.runs import sample, sampled_frames
from potential.active_learning.settings.loop import FACTOR
from potential.active_learning.state import Generation, generations_in, locked
from potential.model import Model
from potential.runtime.progress import Progress, silent
from potential.schema import Place
from potential.scores.predictions import write_frames
from potential.structures.read import read_data_set, read_frames, read_geometries
from potential.structures.structure import Structure
from potential.training.fitting import fit

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Loop:
    """A plan at work. done: the generations that are complete."""

    plan: Plan
    done: list[Generation]
    say: Say
    progress: Progress

    @property
    def n_labels(self) -> int:
        return sum(own.state["label"]["labels"] for own in self.done)

    @property
    def labelled(self) -> list[Path]:
        """Files of labels of the complete generations that have any."""
        return [own.labelled for own in self.done if own.state["label"]["labels"]]

    @property
    def taken(self) -> set[str]:
        """Names of all structures that were selected."""
        return {item["frame"] for own in self.done for item in own.state["select"]["selected"]}


def learn(plan: Plan, *, say: Say = lambda line: None, progress: Progress = silent) -> str:
    """Run the loop, or go on with it, until it stops; returns why it does, in one sentence.

    Everything is written below the folder of the loop, whose ``report.html`` has a row for each
    generation. Raises SoapGprError for anything a user can put right.
    """
    with locked(plan.folder):
        done = [own for own in generations_in(plan.folder) if own.is_complete]
        loop = _Loop(plan, done, say, progress)
        if done:
            _write_page(loop)  # which a loop that was ended may lack
        else:
            _first(loop)
        while (why := _stop(loop)) is None:
            generation = Generation(plan.folder, len(done))
            generation.folder.mkdir(exist_ok=True)
            try:
                why = _generation(loop, generation)
            except Waiting as waiting:
                why = f"generation {generation.number}: {waiting}; start again when it is there"
            if why is not None:
                break
            _completed(loop, generation)
        return why


def _stop(loop: _Loop) -> str | None:
    """Why the loop stops before another generation, or None."""
    own, last = loop.plan.settings.loop, loop.done[-1]
    if last.number >= own.generations:
        return f"{last.number} generations are done"
    if own.labels is not None and loop.n_labels >= own.labels:
        return f"{loop.n_labels} structures were labelled"
    return None


def _first(loop: _Loop) -> None:
    """Generation 0: the model to begin with, and its errors."""
    generation = Generation(loop.plan.folder, 0)
    generation.folder.mkdir(exist_ok=True)
    given = loop.plan.settings.loop.model
    generation.state |= {
        "sample": {"structures": 0, "events": {}},
        "select": {"selected": [], "events": {}},
        "label": {"labels": 0, "failed": []},
    }
    if given and not generation.done("fit"):
        Model.load(given).save(generation.model)
        generation.finish("fit", {"seconds": 0.0, "warnings": []})
    _fit(loop, generation, [])
    _report(loop, generation, None)
    _completed(loop, generation)


def _generation(loop: _Loop, generation: Generation) -> str | None:
    """The steps of a generation that are not done yet; why the loop stops amid them, or None."""
    number, previous = generation.number, loop.done[-1].model
    plan, settings = loop.plan, loop.plan.settings
    seed, beads = settings.loop.seed, plan.fit.data.beads
    if not generation.done("sample"):
        record = sample(
            plan.samplers,
            generation,
            previous,
            seed=seed,
            distance=settings.limits.distance,
            taken=loop.taken,
            say=loop.say,
            progress=loop.progress,
        )
        generation.finish("sample", record)
        loop.say(f"generation {number}: sampled {_counted(record)}")
    if not generation.done("select"):
        pool = sampled_frames(generation, beads)
        if not pool:
            return f"generation {number}: no structure was sampled that is left to label"
        n = settings.select.n
        if settings.loop.labels is not None:
            n = min(n, settings.loop.labels - loop.n_labels)
        chosen = choose(
            pool,
            previous,
            _training(loop),
            n,
            settings.select,
            settings.limits,
            seed=seed + number,
            progress=loop.progress,
        )
        if not chosen.frames:
            return f"generation {number}: no structure is left to label: {_none_chosen(chosen)}"
        write_frames(generation.selected, chosen.frames)
        generation.finish("select", chosen.record)
        loop.say(f"generation {number}: selected {len(chosen.frames)} of {len(pool)} structures")
    record = generation.state["select"]
    least = settings.loop.uncertainty
    if least is not None and not generation.done("label"):
        largest = record["largest_uncertainty"]
        if largest <= least:
            return f"generation {number}: no structure is more uncertain than {largest:.4g}"
    _label(loop, generation)
    _fit(loop, generation, [*loop.labelled, generation.labelled])
    _report(loop, generation, loop.done[-1])
    return None


def _label(loop: _Loop, generation: Generation) -> None:
    if generation.done("label"):
        return
    began = time.monotonic()
    beads = loop.plan.fit.data.beads
    frames = [atoms for atoms, _ in read_frames([str(generation.selected)], beads)]
    labels = Labels(generation.labels, len(frames))
    with Place(loop.plan.settings.file, "label").naming():
        label_all(loop.plan.labeller, frames, labels, loop.progress)
    found, failures = labels.frames(), labels.failures()
    for line in failures:
        loop.say(f"generation {generation.number}: no label: {line}")
    write_frames(generation.labelled, found)
    seconds = time.monotonic() - began
    generation.finish("label", {"labels": len(found), "failed": failures, "seconds": seconds})
    loop.say(f"generation {generation.number}: labelled {len(found)} structures")


def _fit(loop: _Loop, generation: Generation, labelled: Sequence[Path]) -> None:
    if generation.done("fit"):
        return
    began = time.monotonic()
    own = loop.plan.fit
    files = (*own.data.train, *map(str, labelled))
    factor = loop.plan.folder / "factor" if loop.plan.settings.loop.refit == FACTOR else None
    settings = replace(own, data=replace(own.data, train=files))
    result = fit(settings, factor=factor, progress=loop.progress)
    result.model.save(generation.model)
    seconds = time.monotonic() - began
    record = {"structures": len(result.train), "warnings": result.warnings, "seconds": seconds}
    said = {line for own in loop.done for line in own.state["fit"]["warnings"]}
    for line in result.warnings:
        if line not in said and line not in loop.plan.warnings:
            loop.say(f"generation {generation.number}: warning: {line}")
    generation.finish("fit", record)
    loop.say(f"generation {generation.number}: fitted {len(result.train)} structures")


def _report(loop: _Loop, generation: Generation, previous: Generation | None) -> None:
    """Errors on the test structures, and those of the model before on the new labels."""
    if generation.done("report"):
        return
    own = loop.plan
    record = {"test": errors_of(Model.load(generation.model), own.test, loop.progress)}
    if previous is not None:
        new = read_data_set(
            [str(generation.labelled)],
            own.fit.data.keys,
            required_keys=(),
            trained=own.names,
            beads=own.fit.data.beads,
        ).structures
        record["new"] = errors_of(Model.load(previous.model), new, loop.progress)
    generation.finish("report", record)
    for of, name in (("test", "test structures"), ("new", "new labels, by the model before")):
        if shown := errors_shown(generation.state, of):
            loop.say(f"generation {generation.number}: RMSE of {name}: {shown}")


def _completed(loop: _Loop, generation: Generation) -> None:
    loop.done.append(generation)
    _write_page(loop)


def _write_page(loop: _Loop) -> None:
    page = loop.plan.folder / "report.html"
    write_report(page, [own.state for own in loop.done], loop.plan.settings.file)


def _training(loop: _Loop) -> list[Structure]:
    """The structures of all labels so far."""
    files = [str(path) for path in loop.labelled]
    beads = loop.plan.fit.data.beads
    return [*loop.plan.start, *(read_geometries(files, beads) if files else [])]


def _none_chosen(chosen: Chosen) -> str:
    """Why, in words."""
    if (n := chosen.record.get("candidates")) is None:
        return "all are more uncertain than [limits] uncertainty"
    return f"the {n} most uncertain are near-duplicates of training structures"


def _counted(record: dict[str, Any]) -> str:
    """What was sampled, in words."""
    events = ", ".join(f"{n} {name}" for name, n in record["events"].items())
    return f"{record['structures']} structures" + (f" ({events})" if events else "")
