# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations that no other test lets fail: each refuses what is missing or out of range, with AWS's code."""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import pytest
from botocore.config import Config
from control_plane import Localstalk

NO_ENVIRONMENT = "No Environment found for EnvironmentName = 'none'."
NO_APPLICATION = "No Application named 'none' found."
ENVIRONMENT = {"EnvironmentName": "none"}
LONG = "x" * 101


@pytest.mark.parametrize(
    ("operation", "arguments", "text"),
    [
        ("associate_environment_operations_role", ENVIRONMENT | {"OperationsRole": "role"}, NO_ENVIRONMENT),
        ("disassociate_environment_operations_role", ENVIRONMENT, NO_ENVIRONMENT),
        ("describe_environment_health", ENVIRONMENT, NO_ENVIRONMENT),
        ("describe_instances_health", ENVIRONMENT, NO_ENVIRONMENT),
        ("describe_environment_resources", ENVIRONMENT, NO_ENVIRONMENT),
        ("describe_environment_managed_actions", ENVIRONMENT, NO_ENVIRONMENT),
        ("describe_environment_managed_action_history", ENVIRONMENT, NO_ENVIRONMENT),
        ("retrieve_environment_info", ENVIRONMENT | {"InfoType": "tail"}, NO_ENVIRONMENT),
        ("update_application", {"ApplicationName": "none"}, NO_APPLICATION),
        ("validate_configuration_settings", {"ApplicationName": "none", "OptionSettings": []}, NO_APPLICATION),
        ("delete_configuration_template", {"ApplicationName": "none", "TemplateName": "t"}, NO_APPLICATION),
        ("update_configuration_template", {"ApplicationName": "none", "TemplateName": "t"}, NO_APPLICATION),
        (
            "update_application_version",
            {"ApplicationName": "none", "VersionLabel": "v"},
            NO_APPLICATION,
        ),
        ("check_dns_availability", {"CNAMEPrefix": "abc"}, "constraint"),
        ("create_platform_version", {"PlatformName": "p", "PlatformVersion": "1"}, "platformDefinitionBundle"),
        ("delete_platform_version", {"PlatformArn": "arn:none"}, "arn:none"),
        ("delete_environment_configuration", {"ApplicationName": LONG, "EnvironmentName": "none"}, "constraint"),
        ("describe_application_versions", {"MaxRecords": 0}, "constraint"),
        ("describe_applications", {"ApplicationNames": [LONG]}, "constraint"),
        ("describe_configuration_options", {"TemplateName": LONG}, "constraint"),
        ("describe_environments", {"NextToken": "none"}, "NextToken"),
        ("list_platform_branches", {"MaxRecords": 0}, "constraint"),
        ("list_platform_versions", {"MaxRecords": 0}, "constraint"),
    ],
)
def test_it_is_refused(localstalk: Localstalk, operation: str, arguments: dict[str, Any], text: str) -> None:
    # The client's own checks would keep most of this from the wire.
    client = localstalk.client("elasticbeanstalk", config=Config(parameter_validation=False))
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        getattr(client, operation)(**arguments)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert text in response["Error"]["Message"], response["Error"]
