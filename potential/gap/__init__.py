# SPDX-License-Identifier: BSD-3-Clause
"""What comes from QUIP and GAP: their options and files in terms of ours."""
