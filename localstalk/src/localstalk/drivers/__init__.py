# SPDX-License-Identifier: GPL-3.0-or-later
"""What carries out an environment's instances and load balancers: real containers, or a simulation."""
