# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may call: credentials, signatures, refusals in each protocol's own form, and what a browser may open."""
