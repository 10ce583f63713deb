# SPDX-License-Identifier: BSD-3-Clause
"""Data sets at a glance: features into files, distances, duplicates, maps.

Points, PointKernel   structures or environments with a kernel of their features
points_of             those of a term of a model or of a fit.toml
survey                the nearest other of each: duplicates and outliers
kernel_pca, project   kernel principal components on landmarks, UMAP of these
"""

from potential.maps.nearest import Survey, survey
from potential.maps.points import PointKernel, Points, points_of
from potential.maps.projection import Projection, kernel_pca, project

__all__ = [
    "PointKernel",
    "Points",
    "Projection",
    "Survey",
    "kernel_pca",
    "points_of",
    "project",
    "survey",
]
