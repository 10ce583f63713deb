# SPDX-License-Identifier: BSD-3-Clause
"""Machines may be slow and busy: what has not ended after so long will never end."""

HANG = 1800.0  # seconds
