# SPDX-License-Identifier: BSD-3-Clause
"""QUIP's soap descriptors as soap terms."""
