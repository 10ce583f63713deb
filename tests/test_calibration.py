# SPDX-License-Identifier: BSD-3-Clause
"""Scales of predicted errors, and how well they fit (docs/theory.md eq. 25d to 25g)."""

import json

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from potential.uncertainty.calibration import (
    COMMITTEE,
    ENERGY,
    FORCE,
    MOST_POINTS,
    Calibration,
    Predicted,
    format_quality,
    likelihood,
    quality,
    scales,
    spearman,
)


def gaussian(n=4000, scale=2.5, seed=0, types=("a", "b")):
    """Errors that are scale times as large as predicted."""
    rng = np.random.default_rng(seed)
    sigma = np.exp(rng.normal(size=n))
    error = scale * sigma * rng.normal(size=n)
    return Predicted(error, sigma, np.ones(n), np.resize(np.array(types, dtype=object), n))


def test_scale_of_gaussian_errors_is_found():
    own = gaussian()
    found, likely = scales(own)
    assert found == pytest.approx(2.5, rel=0.03) and likely == pytest.approx(2.5, rel=0.03)
    made = quality(own, found)
    assert made.inside_1 == pytest.approx(0.683, abs=0.01)
    assert made.inside_2 == pytest.approx(0.954, abs=0.01)
    assert made.calibration_error < 0.01 and made.nll < made.nll_unscaled


def test_outliers_decide_the_likely_scale_alone():
    own = gaussian()
    own.error[:20] *= 1000.0
    found, likely = scales(own)
    assert found == pytest.approx(2.5, rel=0.05) and likely > 20.0


def test_likely_scale_makes_the_errors_most_likely():
    own = gaussian(200, seed=4)
    _, likely = scales(own)
    best = likelihood(own.error, likely * own.sigma)
    assert all(likelihood(own.error, x * likely * own.sigma) > best for x in (0.97, 1.03))


def test_likely_scale_of_spreads_over_few_members_is_corrected():
    """Δ²/s² of a spread s over n members is (n − 1)/(n − 3) times too large on average."""
    rng = np.random.default_rng(2)
    n = 6
    spread = rng.normal(size=(200000, n)).std(axis=1, ddof=1)
    error = 1.7 * rng.normal(size=len(spread))
    correction = np.full(len(spread), (n - 3) / (n - 1))
    _, likely = scales(Predicted(error, spread, correction, np.full(len(spread), "a")))
    assert likely == pytest.approx(1.7, rel=0.02)


def test_quality_is_what_its_words_say():
    own = gaussian(300, seed=1)
    found = quality(own, 2.0)
    z = own.error / (2.0 * own.sigma)
    assert found.inside_2 == np.mean(np.abs(z) < 2)
    assert found.nll == pytest.approx(-norm.logpdf(own.error, scale=2.0 * own.sigma).mean())
    expected = spearmanr(np.abs(own.error), own.sigma).statistic
    assert found.spearman == pytest.approx(expected)
    assert spearman(own.sigma, -own.sigma) == pytest.approx(-1.0)
    assert found.ideal_spearman == pytest.approx(found.spearman, abs=0.1)  # these are Gaussian
    same = Predicted(own.error, 1.0 + 1e-6 * own.sigma, own.correction, own.config_type)
    assert abs(quality(same, 1.0).ideal_spearman) < 0.2
    levels = np.arange(0.05, 1.0, 0.05)
    inside = [np.mean(np.abs(z) < norm.ppf(0.5 + 0.5 * p)) for p in levels]
    assert found.calibration_error == pytest.approx(np.mean(np.abs(inside - levels)))


def test_forces_that_are_zero_by_symmetry_do_not_count():
    own = gaussian(50)
    zero = Predicted(np.full(5, 1e-9), np.full(5, 1e-17), np.ones(5), np.full(5, "a", dtype=object))
    assert len(Predicted.joined([own, zero]).error) == 50


def test_record_is_plain_and_its_points_are_bounded():
    left_out = {(COMMITTEE, ENERGY): gaussian(30), (COMMITTEE, FORCE): gaussian(5000)}
    calibration = Calibration(left_out, {(COMMITTEE, ENERGY): gaussian(3, seed=2)})
    record = json.loads(json.dumps(calibration.record))
    assert set(record["quality"]) == {"train", "test"}
    assert record["points"]["data"] == "test"
    record = json.loads(json.dumps(Calibration(left_out, {}).record))
    assert len(record["points"]["measures"][COMMITTEE][FORCE]["predicted"]) <= MOST_POINTS
    text = format_quality(record)
    assert "left-out blocks" in text and text.count("committee") == 2
    assert not calibration.warnings


def test_missing_forces_have_the_scale_of_energies_and_are_named():
    calibration = Calibration({(COMMITTEE, ENERGY): gaussian(30)}, {})
    made = calibration.scales(COMMITTEE)
    assert made.energy == made.force
    assert calibration.warnings == [
        "[uncertainty]: too few components of forces were fitted for a scale: that of energies of "
        "structures is taken"
    ]
    assert "too few energies and forces" in Calibration({}, {}).warnings[0]
