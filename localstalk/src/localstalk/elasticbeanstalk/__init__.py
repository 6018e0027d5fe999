# SPDX-License-Identifier: GPL-3.0-or-later
"""The Elastic Beanstalk service: state, the 47 operations, and the answers' wire format."""
