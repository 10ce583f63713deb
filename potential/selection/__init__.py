# SPDX-License-Identifier: BSD-3-Clause
"""Choosing rows of a feature matrix."""
