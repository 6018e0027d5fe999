# SPDX-License-Identifier: GPL-3.0-or-later
"""DescribeEnvironments: which environments a call sees, and what it sees of them."""

from __future__ import annotations

from datetime import UTC

from localstalk.elasticbeanstalk.api import Answer, Params, page
from localstalk.model.region import Region
from localstalk.model.state import Call, Environment

_HEALTH_STATUS = {"NoData": "No Data"}
"""What is spelled in another way than in the service model (docs/elastic_beanstalk.md §13)."""


class Descriptions:
    """Looking at environments."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def describe_environments(self, call: Call, params: Params) -> Answer:
        """Filters; unknown names give nothing. Recently terminated ones show unless IncludeDeleted is false."""
        found = [each for each in self._candidates(params) if self._shown(each, params)]
        items, token = page(found, params)
        return {"Environments": [describe_environment(each) for each in items], "NextToken": token}

    def _candidates(self, params: Params) -> list[Environment]:
        ids = params.get("EnvironmentIds")
        if ids:
            return [self.region.environments[each] for each in dict.fromkeys(ids) if each in self.region.environments]
        return list(self.region.environments.values())

    def _shown(self, environment: Environment, params: Params) -> bool:
        names = params.get("EnvironmentNames")
        if names and environment.name not in names:
            return False
        for name, value in (("ApplicationName", environment.application), ("VersionLabel", environment.version_label)):
            if params.get(name) not in (None, value):
                return False
        if environment.status != "Terminated":
            return True
        if params.get("IncludeDeleted") is False:
            return False
        since = params.get("IncludedDeletedBackTo")
        if params.get("IncludeDeleted") and since is not None and environment.terminated is not None:
            return bool(environment.terminated >= (since if since.tzinfo else since.replace(tzinfo=UTC)))
        return self.region.is_listed(environment)


def describe_environment(environment: Environment) -> Answer:
    """EnvironmentDescription."""
    resources = environment.resources
    balancer = None
    if resources.load_balancer_name:
        listener = {"Protocol": "HTTP", "Port": 80}
        balancer = {
            "LoadBalancer": {
                "LoadBalancerName": resources.load_balancer_name,
                "Domain": resources.load_balancer_dns,
                "Listeners": [listener],
            }
        }
    return {
        "EnvironmentName": environment.name,
        "EnvironmentId": environment.id,
        "ApplicationName": environment.application,
        "VersionLabel": environment.version_label,
        "SolutionStackName": environment.platform.solution_stack,
        "PlatformArn": environment.platform.arn,
        "TemplateName": environment.template,
        "Description": environment.description,
        "EndpointURL": environment.endpoint_url or None,
        "CNAME": environment.cname or None,
        "DateCreated": environment.created,
        "DateUpdated": environment.updated,
        "Status": environment.status,
        "AbortableOperationInProgress": environment.abortable,
        "Health": environment.health.color,
        "HealthStatus": _HEALTH_STATUS.get(environment.health.status, environment.health.status),
        "Resources": balancer,
        "Tier": environment.tier_answer,
        "EnvironmentLinks": [{"LinkName": key, "EnvironmentName": value} for key, value in environment.links.items()],
        "EnvironmentArn": environment.arn,
        "OperationsRole": environment.operations_role,
    }
