# SPDX-License-Identifier: GPL-3.0-or-later
"""Which IAM permission a call needs, on which resource.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Elastic Beanstalk". Where a
resource is required there, a policy may name it; where it is optional, only a policy for all resources ("*") is taken
here, because nobody says what the service does with calls that name no resource.
"""

from __future__ import annotations

from typing import Any

from localstalk.model.region import Region

_ON_ENVIRONMENT = frozenset(
    {
        "AbortEnvironmentUpdate",
        "ApplyEnvironmentManagedAction",
        "AssociateEnvironmentOperationsRole",
        "CreateEnvironment",
        "DeleteEnvironmentConfiguration",
        "DisassociateEnvironmentOperationsRole",
        "RebuildEnvironment",
        "RequestEnvironmentInfo",
        "RestartAppServer",
        "RetrieveEnvironmentInfo",
        "SwapEnvironmentCNAMEs",
        "TerminateEnvironment",
        "UpdateEnvironment",
    }
)
_ON_APPLICATION = frozenset(
    {
        "ComposeEnvironments",
        "CreateApplication",
        "CreateApplicationVersion",
        "DeleteApplication",
        "UpdateApplication",
        "UpdateApplicationResourceLifecycle",
    }
)
_ON_VERSION = frozenset(
    {"ComposeEnvironments", "CreateApplicationVersion", "DeleteApplicationVersion", "UpdateApplicationVersion"}
)
_ON_TEMPLATE = frozenset({"CreateConfigurationTemplate", "DeleteConfigurationTemplate", "UpdateConfigurationTemplate"})


def needed(region: Region, operation: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """IAM actions without their prefix, each with the ARN that it is needed on."""
    if operation == "UpdateTagsForResource":
        # "Specify one of the following two virtual actions (or both) instead of the API operation name" (MODEL).
        lists = (("AddTags", "TagsToAdd"), ("RemoveTags", "TagsToRemove"))
        found = [(action, str(params.get("ResourceArn", "*"))) for action, name in lists if params.get(name)]
        return found or [(operation, "*")]
    found = [(operation, arn) for arn in _resources(region, operation, params) or ["*"]]
    if params.get("Tags"):
        found.append(("AddTags", found[-1][1]))
    return found


def _resources(region: Region, operation: str, params: dict[str, Any]) -> list[str]:
    application = str(params.get("ApplicationName") or "*")
    found = []
    if operation in _ON_APPLICATION:
        found.append(region.arn("application", application))
    if operation in _ON_VERSION:
        labels = params.get("VersionLabels") or [params.get("VersionLabel") or "*"]
        found += [region.arn("applicationversion", application, str(label)) for label in labels]
    if operation in _ON_TEMPLATE:
        found.append(region.arn("configurationtemplate", application, str(params.get("TemplateName") or "*")))
    if operation == "CreateEnvironment":
        found.append(region.arn("environment", application, str(params.get("EnvironmentName") or "*")))
    elif operation in _ON_ENVIRONMENT:
        prefixes = ("Source", "Destination") if operation == "SwapEnvironmentCNAMEs" else ("",)
        found += [_environment(region, params, prefix) for prefix in prefixes]
    return found


def _environment(region: Region, params: dict[str, Any], prefix: str) -> str:
    """ARN of the environment that the call names by id or by name; of any, when there is none of that name."""
    name, identity = params.get(f"{prefix}EnvironmentName"), params.get(f"{prefix}EnvironmentId")
    found = [
        each for each in region.environments.values() if identity == each.id or (not identity and name == each.name)
    ]
    return found[-1].arn if found else region.arn("environment", "*", str(name or "*"))
