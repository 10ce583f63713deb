# SPDX-License-Identifier: BSD-3-Clause
"""QUIP's files and option text."""
