# SPDX-License-Identifier: GPL-3.0-or-later
"""EB's engine as it runs inside an instance (standard library and PyYAML only; mounted read-only into the instance)."""
