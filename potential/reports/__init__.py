# SPDX-License-Identifier: BSD-3-Clause
"""Pages, plots and tables for people."""
