# SPDX-License-Identifier: BSD-3-Clause
"""Kinds of terms: their functions, sparse points and rows of the design matrix."""
