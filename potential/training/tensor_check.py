# SPDX-License-Identifier: BSD-3-Clause
"""Vectors and tensors that contradict those of like environments: ``soap-gpr check --tensor-key``.

Each half of the frames is predicted by a model of the other half, and each config_type or file by a
model of the largest. What is far off is explained where it can be: other units, other origins of
dipoles, axes that were not turned with the frame.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from potential.runtime.progress import Progress, silent
from potential.structures.check import Finding
from potential.structures.structure import Structure, symbol
from potential.structures.target_labels import TargetLabel
from potential.structures.tensor_labels import LARGEST, asymmetry, made_symmetric
from potential.tensors.spherical import Part
from potential.training.tensor_comparison import TINY, Comparison
from potential.training.tensor_faults import (
    SAME_SIZE,
    Compared,
    centre,
    charge,
    common_factor,
    factor,
    is_other_size,
    is_turned,
    meaning,
    origin_slope,
    shifted_frames,
)

LEAST = 20  # frames with labels in each half, without which there is nothing to compare
LEAST_OF_GROUP = 10
LEAST_OF_ORIGIN = 3  # frames that a shift of origins has to explain
MOST_TURNED = 50  # frames of which rotations are looked for
SYMMETRIC = 0.1  # of the largest antisymmetric part, in the median frame of a symmetric label
OUTLYING = 6.0  # median sizes: what is larger does not train the first models
ODD = 12.0  # median residuals of the same part and species
ODD_FRAME = 3.0  # median residuals of frames, the rms of their atoms
ODD_OF_SPREAD = 0.5  # and of the spread of its labels, where the residuals are tiny
LEAST_ATOMS = 5  # of a species, whose rms says something of the frame
UNLEARNT, LEARNT = 0.8, 0.6  # of the spread are left of what was not, or was, learnt
OF_ORIGIN = 0.5  # share of the squared residuals that a shift of origins explains
LEAST_SHIFT = 0.05  # of the size of dipoles


def tensor_findings(
    structures: Sequence[Structure], label: TargetLabel, progress: Progress = silent
) -> tuple[list[Finding], list[str]]:
    """What is odd about the labels, one sentence for each fault with the frames that have it, and
    what could not be compared.

    label: a vector or tensor, of atoms or structures, as ``tensor_label`` says.
    """
    labelled = [s for s in structures if np.isfinite(s.targets.get(label.name, np.nan)).any()]
    if len(labelled) < 2 * LEAST:
        return [], [f"{label.key} was not compared: fewer than {2 * LEAST} frames have it"]
    label, labelled, findings = _symmetric(label, labelled)
    own = Comparison(label, progress)
    labelled, said = _other_units(own, labelled)
    findings += said
    halves, outlying = _halves(labelled), _outlying(own, labelled)
    found = own.across(halves, outlying)
    if len(found) < 2 * LEAST:
        return findings, [f"{label.key} was not compared: the halves have few species in common"]
    if label.rank == 1 and not label.per_atom:
        labelled, said = _other_origins(own, labelled, found)
        if said:
            findings += said
            halves, outlying = _halves(labelled), _outlying(own, labelled)
            found = own.across(halves, outlying)
    part = _unlearnt(own, _usual(found, outlying))
    if part:
        said, notes = _directions(own, halves, part)
        return findings + said, notes
    first = outlying | {x.structure.source for x in _odd(own, found, outlying)}
    if first > outlying:  # once more without them, which bend what is predicted for others
        found = own.across(halves, first)
    odd = _odd(own, found, first)
    notes = _not_compared(own, labelled, found, _usual(found, first))
    return findings + list(_explained(own, odd)), notes


def _named(
    own: Comparison,
    kind: str,
    frames: Sequence[Structure],
    what: str,
    advice: str,
    lead: str = "worst",
    of: str = "",
) -> Finding:
    """A finding about these frames, of which the first is named; of: their group."""
    one = len(frames) == 1
    where = f"{'' if one else f'{lead}: '}{frames[0].source}"
    message = f"{len(frames)} frame{'s' * (not one)}{of} with {own.label.key} {what} ({where}): "
    return Finding(kind, message + advice, tuple(s.source for s in frames))


def _symmetric(
    label: TargetLabel, labelled: list[Structure]
) -> tuple[TargetLabel, list[Structure], list[Finding]]:
    """The label as most frames have it, symmetric or not, and frames that are not so."""
    off = asymmetry(labelled, label) if label.rank > 1 else np.zeros(0)
    if label.rank == 1 or (label.rank == 2 and np.median(off) > SYMMETRIC * LARGEST):
        return label, labelled, []
    label = replace(label, symmetric=True)
    bad = [labelled[k] for k in np.argsort(-off).tolist() if off[k] > LARGEST]
    labelled = [made_symmetric(s, label) for s in labelled]
    if not bad:
        return label, labelled, []
    what = f"whose antisymmetric part is up to {100 * off.max():.3g} % of the usual size"
    advice = "look whether components are in another order, or did not converge"
    found = _named(Comparison(label, silent), "asymmetric labels", bad, what, advice)
    return label, labelled, [found]


def _halves(structures: Sequence[Structure]) -> list[list[Structure]]:
    order = np.random.default_rng(0).permutation(len(structures))
    return [[structures[k] for k in sorted(order[half::2])] for half in (0, 1)]


def _usual(found: Sequence[Compared], odd: Collection[str]) -> list[Compared]:
    return [own for own in found if own.structure.source not in odd] or list(found)


def _outlying(own: Comparison, structures: Sequence[Structure]) -> set[str]:
    """Frames with labels so large that a model which learns from them learns nothing else, by the
    largest part with directions."""
    T, kinds = own.rows(structures)
    of_frame = np.repeat(np.arange(len(structures)), [len(own.rows([s])[0]) for s in structures])
    there = np.isfinite(T).all(axis=1)
    T, kinds, of_frame = T[there], kinds[there], of_frame[there]
    sizes = [size for part, size in own.parts(T).items() if part.lam > 0]
    found = set[str]()
    for z in np.unique(kinds).tolist():
        size = max(sizes, key=lambda x: float(np.median(x[kinds == z])))
        limit = OUTLYING * float(np.median(size[kinds == z]))
        far = (kinds == z) & (size > limit) & (limit > 0)
        found |= {structures[k].source for k in np.unique(of_frame[far]).tolist()}
    return found if len(found) < len(structures) / 4 else set()


# ---------------------------------------------------------------------------------------------
# Units of config_types and files


def _other_units(
    own: Comparison, structures: list[Structure]
) -> tuple[list[Structure], list[Finding]]:
    """Groups that are another's but for a factor, and the structures with them divided by it."""
    findings = list[Finding]()
    for what, group_of in (
        ("config_type", lambda s: s.config_type),
        ("file", lambda s: s.source.rpartition("#")[0]),
    ):
        groups = dict[str, list[Structure]]()
        for s in structures:
            groups.setdefault(group_of(s), []).append(s)
        largest = max(groups, key=lambda name: len(groups[name]))
        train = groups.pop(largest)
        for name, group in sorted(groups.items()):
            if min(len(train), len(group)) < LEAST_OF_GROUP:
                continue
            found = own.of(train, group)
            ratio = common_factor(found, own.parts) if len(found) >= LEAST_OF_GROUP else None
            if ratio is None:
                continue
            advice = meaning(ratio, own.label.rank, [len(x.structure) for x in found])
            text = f"{ratio:.3g} times what a model of {largest} predicts"
            of = f" of {what} {name}"
            findings.append(_named(own, "label units", group, text, advice, "first", of))
            sources = {s.source for s in group}
            structures = [
                _changed(own, s, s.targets[own.label.name] / ratio) if s.source in sources else s
                for s in structures
            ]
    return structures, findings


def _changed(own: Comparison, structure: Structure, label: np.ndarray) -> Structure:
    return replace(structure, targets={**structure.targets, own.label.name: label})


# ---------------------------------------------------------------------------------------------
# Origins of dipoles


def _other_origins(
    own: Comparison, structures: list[Structure], found: Sequence[Compared]
) -> tuple[list[Structure], list[Finding]]:
    """Dipoles that go with the place of the frame, and the structures with them moved to the
    centre of mass."""
    free = [x for x in found if not x.structure.pbc.any()]
    if len(free) < 2 * LEAST:
        return structures, []
    Q, share = origin_slope(free)
    labels, shift = (
        np.sqrt(np.mean([np.sum(np.square(x)) for x in rows]))
        for rows in (
            [x.labels for x in free],
            [Q * charge(x.structure) * centre(x.structure) for x in free],
        )
    )
    if share < OF_ORIGIN or shift < LEAST_SHIFT * labels:
        return structures, []
    order = sorted(free, key=lambda x: -float(np.linalg.norm(centre(x.structure))))
    finding = _of_origin(own, [x.structure for x in order], Q)
    sources = set(finding.frames)
    name = own.label.name
    moved = [
        _changed(own, s, s.targets[name] - Q * charge(s) * centre(s)) if s.source in sources else s
        for s in structures
    ]
    return moved, [finding]


def _of_origin(own: Comparison, frames: Sequence[Structure], Q: float) -> Finding:
    known = all("charge" in s.info for s in frames)
    what = (
        f"that goes with the place of the frame, {Q:.3g} for each Å"
        f"{' and elementary charge' * known}"
    )
    advice = "take dipoles of charged frames about the centre of mass"
    return _named(own, "origin of dipoles", frames, what, advice)


# ---------------------------------------------------------------------------------------------
# Frames that are far off


@dataclass(frozen=True)
class _Scale:
    """Of one part and species: rms labels about their mean, and residuals."""

    spread: float
    usual: float  # the median residual
    of_frames: float  # the median of the rms residuals of frames
    left: float  # the rms residual


def _scales(own: Comparison, found: Sequence[Compared]) -> dict[tuple[Part, int], _Scale]:
    kinds = np.concatenate([x.kinds for x in found])
    sizes = own.parts(np.concatenate([x.labels for x in found]))
    off = own.parts(np.concatenate([x.residual for x in found]))
    frame = np.repeat(np.arange(len(found)), [len(x.kinds) for x in found])
    scales = dict[tuple[Part, int], _Scale]()
    for part, z in product(sizes, np.unique(kinds).tolist()):
        of = kinds == z
        size, residual = sizes[part][of], off[part][of]
        if part == Part(0, 1):
            size = size - np.median(size)
        counts = np.bincount(frame[of], minlength=len(found))
        squares = np.bincount(frame[of], residual**2, minlength=len(found))
        of_frames = np.sqrt(squares[counts > 0] / counts[counts > 0])
        scales[part, z] = _Scale(
            _root_mean_square(size),
            float(np.median(residual)),
            float(np.median(of_frames)),
            _root_mean_square(residual),
        )
    return scales


def _root_mean_square(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2)))


def _odd(own: Comparison, found: Sequence[Compared], before: Collection[str]) -> list[Compared]:
    """Frames whose residual in some part is far above what is usual, the worst first; before:
    names of odd ones that do not count for what is usual."""
    scales = _scales(own, _usual(found, before))
    ratios = [_how_odd(own, x, scales) for x in found]
    order = sorted(range(len(found)), key=lambda k: -ratios[k])
    return [found[k] for k in order if ratios[k] > 1]


def _how_odd(own: Comparison, x: Compared, scales: dict[tuple[Part, int], _Scale]) -> float:
    """The largest residual over its limit, of parts that are learnt; those of many atoms together
    have a closer one."""
    off, largest = own.parts(x.residual), 0.0
    for (part, z), scale in scales.items():
        residual = off[part][x.kinds == z]
        if scale.left >= LEARNT * scale.spread or not len(residual):
            continue
        limit = max(ODD * scale.usual, ODD_OF_SPREAD * scale.spread)
        largest = max(largest, float(residual.max()) / limit)
        if len(residual) >= LEAST_ATOMS:
            limit = max(ODD_FRAME * scale.of_frames, ODD_OF_SPREAD * scale.spread)
            largest = max(largest, _root_mean_square(residual) / limit)
    return largest


def _not_compared(
    own: Comparison,
    labelled: Sequence[Structure],
    found: Sequence[Compared],
    usual: Sequence[Compared],
) -> list[str]:
    """Notes on parts that are not learnt well enough to be judged, and on frames left out."""
    scales, key = _scales(own, usual), own.label.key
    least = TINY * max((scale.spread for scale in scales.values()), default=0.0)
    notes = [
        f"{key}: {part}{f' of {symbol(z)}' if z else ''} was not compared: a model of half of the "
        "frames does not predict it well enough"
        for (part, z), scale in scales.items()
        if scale.left >= LEARNT * scale.spread > LEARNT * least
    ]
    n_left_out = len(labelled) - len(found)
    if n_left_out:
        one = n_left_out == 1
        frames = f"{n_left_out} frame{' was' if one else 's were'}"
        their = "its" if one else "their"
        notes.append(f"{key} of {frames} not compared: {their} species are not in both halves")
    return notes


def _explained(own: Comparison, odd: Sequence[Compared]) -> Iterator[Finding]:
    """What odd frames have in common, one finding for each fault."""
    label, left = own.label, list(odd)
    if label.rank == 1 and not label.per_atom:
        shifted, Q = shifted_frames([x for x in left if not x.structure.pbc.any()])
        if len(shifted) >= LEAST_OF_ORIGIN:
            yield _of_origin(own, [x.structure for x in shifted], Q)
            left = [x for x in left if x not in shifted]
    sized = sorted((x for x in left if is_other_size(x, label.rank)), key=lambda x: factor([x])[0])
    left = [x for x in left if x not in sized]
    for group in _alike(sized):
        s = factor(group)[0]
        text = f"{s:.3g} times what a model of the others predicts"
        advice = meaning(s, label.rank, [len(x.structure) for x in group])
        yield _named(own, "label units", [x.structure for x in group], text, advice)
    turned = [x for x in left[:MOST_TURNED] if is_turned(x, label.rank)]
    for kind, frames, what, advice in (
        (
            "turned labels",
            turned,
            "as a model of the others predicts it but for a rotation",
            "look whether they were turned with the frames and belong to them",
        ),
        (
            "odd labels",
            [x for x in left if x not in turned],
            "far from what a model of the others predicts",
            "look whether they are of another method, or of other atoms",
        ),
    ):
        if frames:
            yield _named(own, kind, [x.structure for x in frames], what, advice)


def _alike(frames: Sequence[Compared]) -> list[list[Compared]]:
    """Frames, in order of their factors, in groups of nearly the same one."""
    groups, last = list[list[Compared]](), 0.0
    for own in frames:
        s = factor([own])[0]
        if not groups or not 1 / SAME_SIZE < s / last < SAME_SIZE:
            groups.append([])
        groups[-1].append(own)
        last = s
    return groups


# ---------------------------------------------------------------------------------------------
# Directions that no model learns


def _unlearnt(own: Comparison, found: Sequence[Compared]) -> Part | None:
    """The largest part with directions, where no such part is predicted."""
    scales = {key: scale for key, scale in _scales(own, found).items() if key[0].lam > 0}
    if any(scale.left < UNLEARNT * scale.spread for scale in scales.values()):
        return None
    return max(scales, key=lambda key: scales[key].spread)[0]


def _directions(
    own: Comparison, halves: Sequence[Sequence[Structure]], part: Part
) -> tuple[list[Finding], list[str]]:
    """Whether lengths of the part are predicted, where its directions are not."""
    labels, predicted = own.lengths(halves, part)
    if len(labels) and _root_mean_square(predicted - labels) < LEARNT * np.std(labels):
        every = [s for half in halves for s in half]
        what = "whose lengths go with the structures and whose directions do not"
        advice = "look whether labels were turned with their frames"
        return [_named(own, "turned labels", every, what, advice, "first")], []
    half = "a model of half of the frames does not predict the others"
    return [], [f"{own.label.key} was not compared: {half}"]
