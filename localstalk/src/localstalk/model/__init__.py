# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service remembers and what its environments are made of; below both the workflows and the API."""
