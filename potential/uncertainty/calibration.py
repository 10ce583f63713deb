# SPDX-License-Identifier: BSD-3-Clause
"""Predicted against actual errors: scales and their quality (docs/theory.md eq. 25d to 25g)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import erfinv

from potential.model.uncertainty import Scales
from potential.runtime.text_table import text_table

ENERGY, FORCE = "energy", "force"
KINDS = (ENERGY, FORCE)  # total energies of structures, components of forces
COMMITTEE, VARIANCE, RIGIDITY = "committee", "variance", "rigidity"
UNITS = {ENERGY: "eV", FORCE: "eV/Å"}
LEVELS = np.arange(0.05, 1.0, 0.05)  # of the expected calibration error
LEAST_SPREAD = 1e-3  # of the mean: below it are zeros by symmetry, whose errors are the labels'
MOST_POINTS = 400  # of a plot that the record keeps
LEAST_COUNT = 3  # of errors, from which a scale can be found
HEAD = (
    *("measure", "of", "on", "count", "scale", "< 1σ", "< 2σ", "ECE"),
    *("Spearman", "ideal", "NLL", "unscaled"),
)
TRAIN, TEST = "train", "test"
ON = {TRAIN: "left-out blocks", TEST: "test"}  # data in words


@dataclass(frozen=True)
class Predicted:
    """Actual errors (n,) and standard deviations predicted for them, not scaled.

    correction: of the scale, eq. (25e), for the number of members that each is the spread of.
    """

    error: np.ndarray
    sigma: np.ndarray
    correction: np.ndarray
    config_type: np.ndarray  # of names

    @classmethod
    def of_structure(
        cls, error: np.ndarray, sigma: np.ndarray, config_type: str, n_members: int | None = None
    ) -> Predicted:
        """Of one structure; n_members: that each sigma is the spread of, None where it is no
        spread."""
        factor = 1.0 if n_members is None else (n_members - 3) / (n_members - 1)
        types = np.full(len(error), config_type, dtype=object)
        return cls(error, sigma, np.full(len(error), factor), types)

    @classmethod
    def joined(cls, parts: Sequence[Predicted], least: float = LEAST_SPREAD) -> Predicted:
        """Those of several structures, without what is zero by symmetry, below ``least`` of the
        root mean square."""
        columns = zip(*(_arrays(own) for own in parts), strict=True)
        own = cls(*(np.concatenate(arrays) for arrays in columns))
        mean = math.sqrt(float(np.mean(own.sigma**2))) if len(own.sigma) else 0.0
        kept = own.sigma > least * mean
        return cls(*(array[kept] for array in _arrays(own)))


def _arrays(own: Predicted) -> tuple[np.ndarray, ...]:
    return own.error, own.sigma, own.correction, own.config_type


@dataclass(frozen=True)
class Quality:
    """How well scaled standard deviations predict errors."""

    count: int
    scale: float
    inside_1: float  # fraction of errors below one standard deviation; 0.683 of a Gaussian
    inside_2: float  # below two; 0.954
    calibration_error: float  # mean difference of fractions inside from nominal ones
    spearman: float  # rank correlation of predicted and actual size
    ideal_spearman: float  # that of Gaussian errors of just these standard deviations
    nll: float  # mean negative log-likelihood, scaled
    nll_unscaled: float


def spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation (n,) over members (n, n_members)."""
    return np.std(values, axis=1, ddof=1)


def scales(own: Predicted) -> tuple[float, float]:
    """The scale of eq. (25f), by counting, and that of greatest likelihood, eq. (25e)."""
    ratio = np.abs(own.error) / own.sigma
    likely = math.sqrt(float(np.mean(own.correction * ratio**2)))
    nominal = [math.erf(k / math.sqrt(2)) for k in (1.0, 2.0)]
    both = np.concatenate([ratio, ratio / 2.0])
    return float(np.quantile(both, np.mean(nominal))), likely


def quality(own: Predicted, scale: float) -> Quality:
    """Of standard deviations times scale."""
    ratio = np.abs(own.error) / (scale * own.sigma)
    nominal = math.sqrt(2) * erfinv(LEVELS)
    inside = np.mean(ratio[:, None] < nominal, axis=0)
    return Quality(
        len(ratio),
        scale,
        float(np.mean(ratio < 1)),
        float(np.mean(ratio < 2)),
        float(np.mean(np.abs(inside - LEVELS))),
        spearman(np.abs(own.error), own.sigma),
        spearman(np.abs(np.random.default_rng(0).normal(size=len(ratio))) * own.sigma, own.sigma),
        likelihood(own.error, scale * own.sigma),
        likelihood(own.error, own.sigma),
    )


def likelihood(error: np.ndarray, sigma: np.ndarray) -> float:
    """Mean negative log-likelihood of errors that are Gaussian with these standard deviations."""
    return float(np.mean(0.5 * (error / sigma) ** 2 + np.log(sigma) + 0.5 * math.log(2 * math.pi)))


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation of arrays (n,), n > 2, without many equal numbers."""
    first, second = (np.argsort(np.argsort(values)) for values in (x, y))
    return float(np.corrcoef(first, second)[0, 1])


ByMeasure = Mapping[tuple[str, str], Predicted]  # by measure and kind


class Calibrated:
    """Scales, and their quality on the left-out blocks of training and on test structures.

    found: by measure and kind, as ``scales``.
    """

    def __init__(
        self,
        found: Mapping[tuple[str, str], tuple[float, float]],
        left_out: ByMeasure,
        tested: ByMeasure,
    ):
        self._scales, self._data = found, {TRAIN: left_out, TEST: tested}

    @property
    def record(self) -> dict[str, Any]:
        """Plain JSON types: scales of greatest likelihood, qualities by data, measure and kind, and
        points for a plot."""
        of: dict[str, Any] = {}
        for data, predicted in self._data.items():
            for (measure, kind), own in predicted.items():
                if (measure, kind) in self._scales and len(own.error) >= LEAST_COUNT:
                    found = quality(own, self._scales[measure, kind][0])
                    of.setdefault(data, {}).setdefault(measure, {})[kind] = asdict(found)
        likely: dict[str, dict[str, float]] = {}
        for (measure, kind), (_, scale) in self._scales.items():
            likely.setdefault(measure, {})[kind] = scale
        shown = TEST if of.get(TEST) else TRAIN
        plotted = {
            measure: {
                kind: _points(self._data[shown][measure, kind], own["scale"])
                for kind, own in kinds.items()
            }
            for measure, kinds in of.get(shown, {}).items()
        }
        points = {"data": shown, "measures": plotted}
        return {"likely_scales": likely, "quality": of, "points": points}


class Calibration(Calibrated):
    """Scales found on the left-out blocks of training, and their quality there and on test
    structures."""

    def __init__(self, left_out: ByMeasure, tested: ByMeasure):
        known = {key: own for key, own in left_out.items() if len(own.error) >= LEAST_COUNT}
        super().__init__({key: scales(own) for key, own in known.items()}, known, tested)

    def scales(self, measure: str) -> Scales:
        """Of one measure; what no errors of its kind are known of has the other kind's."""
        found = {
            kind: self._scales[measure, kind][0]
            for kind in KINDS
            if (measure, kind) in self._scales
        }
        energy, force = (found.get(kind, next(iter(found.values()), 1.0)) for kind in KINDS)
        return Scales(energy, force)

    @property
    def warnings(self) -> list[str]:
        """What scales could not be found."""
        missing = [k for k in KINDS if not any(kind == k for _, kind in self._scales)]
        words = {ENERGY: "energies of structures", FORCE: "components of forces"}
        if len(missing) == len(KINDS):
            return ["[uncertainty]: too few energies and forces for a scale: errors are not scaled"]
        other = {ENERGY: FORCE, FORCE: ENERGY}
        return [
            f"[uncertainty]: too few {words[kind]} were fitted for a scale: that of "
            f"{words[other[kind]]} is taken"
            for kind in missing
        ]


def _points(own: Predicted, scale: float) -> dict[str, list]:
    """No more than MOST_POINTS of them, evenly taken, of four digits."""
    taken = slice(None, None, -(-len(own.error) // MOST_POINTS))
    predicted, actual = scale * own.sigma[taken], np.abs(own.error[taken])
    return {
        "predicted": [float(f"{x:.4g}") for x in predicted],
        "actual": [float(f"{x:.4g}") for x in actual],
        "config_type": own.config_type[taken].tolist(),
    }


def parts(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Of what a model has on record, that of the potential and that of targets, as ``Calibrated``
    returned them, if they have a quality."""
    return [own for own in (record, record.get("targets", {})) if own.get("quality")]


def quality_rows(record: dict[str, Any]) -> list[tuple[str, ...]]:
    """Rows under HEAD of what a model has on record, as shown to people."""
    rows = []
    everything = [item for own in parts(record) for item in own["quality"].items()]
    for data, measures in everything:
        for measure, kinds in measures.items():
            for kind, own in kinds.items():
                inside = (f"{100 * own[key]:.1f} %" for key in ("inside_1", "inside_2"))
                rows.append(
                    (
                        *(measure, kind, ON.get(data, data), str(own["count"])),
                        *(f"{own['scale']:.3g}", *inside),
                        f"{100 * own['calibration_error']:.1f} %",
                        *(f"{own[key]:.2f}" for key in ("spearman", "ideal_spearman")),
                        *(f"{own[key]:.2f}" for key in ("nll", "nll_unscaled")),
                    )
                )
    return sorted(rows, key=lambda row: (row[0], row[1]))


def format_quality(record: dict[str, Any]) -> str:
    """The same as a table of plain text."""
    table = text_table(HEAD, quality_rows(record), left=(0, 1, 2))
    head = "Predicted against actual errors; a Gaussian has 68.3 % and 95.4 % within 1σ and 2σ"
    return f"{head}\n{table}"
