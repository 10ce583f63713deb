# SPDX-License-Identifier: BSD-3-Clause
"""Vectors and tensors: Cartesian and spherical components, products of densities."""
