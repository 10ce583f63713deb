# SPDX-License-Identifier: BSD-3-Clause
"""Which structures to label next, and the loop that labels them and fits again."""
