# SPDX-License-Identifier: BSD-3-Clause
"""Choosing rows of a feature matrix: environments, or structures by their pooled features; and
choosing columns.

select          sparse points: distinct rows, by any method, with quotas of groups
farthest_points, cur_points, leverage_points, kmeans_points, random_points
                one method each: indices of n rows of X (n_rows, n_features)
choose_columns  features that stand for all of them, to a count or a tolerance, and how
"""

from potential.selection.columns import Columns, choose_columns
from potential.selection.cur import cur_points
from potential.selection.farthest import farthest_points
from potential.selection.kmeans import kmeans_points
from potential.selection.leverage import leverage_points
from potential.selection.select import random_points, select

__all__ = [
    "Columns",
    "choose_columns",
    "cur_points",
    "farthest_points",
    "kmeans_points",
    "leverage_points",
    "random_points",
    "select",
]
