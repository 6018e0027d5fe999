# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudFormation: moto's, with the stacks of environments, and with Elastic Beanstalk's resources made for real."""
