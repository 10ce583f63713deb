# SPDX-License-Identifier: BSD-3-Clause
"""Limits of settings and options: beyond them are only overflows, hangs and memory that no machine
has."""

MOST_CUTOFF = 100.0  # Å, as of all lengths
LEAST_SIGMA = 0.01  # Å: below it no table follows the radial functions
LEAST_WIDTH = 0.001  # Å: nor cutoff functions
LEAST_DELTA, MOST_DELTA = 1e-8, 1e8  # eV
ZBL_CORE = 0.05  # Å: below it the repulsion goes on as a parabola, which stays finite
MOST_NOISE = 1e12  # eV, eV/Å; the least is that of labels.py
MOST_SPARSE = 1_000_000  # K_MM would need 8 TB
MOST_FEATURES = 10_000_000  # of one term, as in model files
MOST_PAIR_SPARSE = 1000  # for one function of a distance
MOST_SEED = 2**32 - 1
MOST_FOLDS, MOST_TRIALS, MOST_POINTS, MOST_REPEATS = 1000, 1_000_000, 10_000, 10_000
