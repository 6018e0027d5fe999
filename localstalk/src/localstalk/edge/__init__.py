# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge: load balancers and public names, carried by a real HAProxy on loopback addresses."""
