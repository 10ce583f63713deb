# SPDX-License-Identifier: BSD-3-Clause
"""Samplers: where new structures come from."""
