# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens after an operation was accepted: coroutines that change an environment step by step."""
