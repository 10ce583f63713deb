# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of environments and of structures, of their features as arrays."""
