# SPDX-License-Identifier: BSD-3-Clause
"""Data sets at a glance: features into files, distances, duplicates, maps.

points        structures or environments with a kernel of their features
survey        the nearest other of each: duplicates and outliers
projection    kernel principal components, UMAP
"""
