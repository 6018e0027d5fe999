# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parameters that stand for option settings."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  min_size:
    description:
      - Least number of instances (C(MinSize) in C(aws:autoscaling:asg)).
    type: int
  max_size:
    description:
      - Greatest number of instances (C(MaxSize) in C(aws:autoscaling:asg)).
    type: int
  instance_type:
    description:
      - Types of instances, the preferred one first (C(InstanceTypes) in C(aws:ec2:instances)).
    type: list
    elements: str
  instance_profile:
    description:
      - Instance profile, by name or ARN (C(IamInstanceProfile) in C(aws:autoscaling:launchconfiguration)). Elastic
        Beanstalk launches no environment without one.
    type: str
  service_role:
    description:
      - Role that Elastic Beanstalk itself takes, by name or ARN (C(ServiceRole) in
        C(aws:elasticbeanstalk:environment)).
    type: str
  load_balancer:
    description:
      - Kind of load balancer; V(none) is a single instance without one. It cannot be changed between kinds once the
        environment has been created.
    type: str
    choices: [application, network, classic, none]
  scale_out_cpu:
    description:
      - One instance more when the average CPU use in percent is above this (C(UpperThreshold) in
        C(aws:autoscaling:trigger), measured as C(CPUUtilization)).
    type: float
  scale_in_cpu:
    description:
      - One instance less when the average CPU use in percent is below this. A third of O(scale_out_cpu) when it is not
        given.
    type: float
  health_check_path:
    description:
      - Path that the load balancer asks for (C(HealthCheckPath) in
        C(aws:elasticbeanstalk:environment:process:default)); for application load balancers.
    type: str
  deployment_policy:
    description:
      - How a new version gets to the instances (C(DeploymentPolicy) in C(aws:elasticbeanstalk:command)). With
        V(AllAtOnce) there is downtime.
    type: str
    choices: [AllAtOnce, Rolling, RollingWithAdditionalBatch, Immutable, TrafficSplitting]
  batch_size:
    description:
      - Instances that get the new version at a time, as a number such as V(2) or a share such as V(30%).
    type: str
"""
