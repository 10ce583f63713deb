# SPDX-License-Identifier: BSD-3-Clause
"""Functions of one or three distances of GAP potentials."""
