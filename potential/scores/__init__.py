# SPDX-License-Identifier: BSD-3-Clause
"""How good and how fast a model is."""
