# SPDX-License-Identifier: BSD-3-Clause
"""Atoms and their labels: reading, checking, neighbours."""
