# SPDX-License-Identifier: BSD-3-Clause
"""Many fits from the same rows: cross-validation, learning curves, search."""
