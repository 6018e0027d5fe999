# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of Elastic Beanstalk: the 47 operations by topic, and how requests and answers look on the wire."""
