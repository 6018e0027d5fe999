# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings: the operations that show and check them."""

from __future__ import annotations

from datetime import datetime

from localstalk.elasticbeanstalk.api import Answer, Params
from localstalk.elasticbeanstalk.platforms import Platforms
from localstalk.elasticbeanstalk.templates import Templates
from localstalk.model import options
from localstalk.model.description import Subject, describe
from localstalk.model.errors import InvalidParameterCombination, MissingRequiredParameter
from localstalk.model.region import Region
from localstalk.model.settings import given_settings
from localstalk.model.state import Call, Environment, Settings


class Configuration:
    """Operations on the settings of environments."""

    def __init__(self, region: Region, platforms: Platforms, templates: Templates) -> None:
        self.region = region
        self.platforms = platforms
        self.templates = templates

    def describe_configuration_settings(self, call: Call, params: Params) -> Answer:
        """Deployed settings of an environment (and its draft), or a saved configuration."""
        application = self.region.application(params["ApplicationName"])
        self._exactly_one(params)
        if params.get("TemplateName") is not None:
            return {"ConfigurationSettings": [self.templates.describe(application.name, params["TemplateName"])]}
        environment = self.region.find(params)
        described = [
            self._describe(
                environment, given_settings(environment), "deployed", environment.created, environment.updated
            )
        ]
        draft = environment.draft
        if draft is not None:
            described.append(self._describe(environment, draft.settings, draft.status, draft.created, draft.updated))
        return {"ConfigurationSettings": described}

    @staticmethod
    def _exactly_one(params: Params) -> None:
        given = [name for name in ("EnvironmentName", "TemplateName") if params.get(name) is not None]
        if len(given) == 2:
            raise InvalidParameterCombination("TemplateName and EnvironmentName cannot be specified together.")
        if not given:
            raise MissingRequiredParameter("Either TemplateName or EnvironmentName must be specified.")

    def _describe(
        self, environment: Environment, settings: Settings, status: str, created: datetime, updated: datetime
    ) -> Answer:
        subject = Subject.of(environment, self.region.name, self.region.fleet.image)
        return {
            "SolutionStackName": environment.platform.solution_stack,
            "PlatformArn": environment.platform.arn,
            "ApplicationName": environment.application,
            "Description": environment.description,
            "EnvironmentName": environment.name,
            "DeploymentStatus": status,
            "DateCreated": created,
            "DateUpdated": updated,
            "OptionSettings": describe(settings, subject),
            "Tier": environment.tier_answer,
        }

    def describe_configuration_options(self, call: Call, params: Params) -> Answer:
        """Definitions of options, of all or of those asked for."""
        platform = self.platforms.chosen(params)
        if platform is None and params.get("TemplateName") is not None:
            platform = self.templates.find(params.get("ApplicationName", ""), params["TemplateName"]).platform
        if platform is None and params.get("EnvironmentName") is not None:
            platform = self.region.find(params).platform
        asked = options.read_names(params.get("Options"))
        found = [_describe_definition(each) for key, each in options.definitions().items() if not asked or key in asked]
        answer: Answer = {"Options": found}
        if platform is not None:
            answer |= {"SolutionStackName": platform.solution_stack, "PlatformArn": platform.arn}
        return answer

    def validate_configuration_settings(self, call: Call, params: Params) -> Answer:
        """Answers messages instead of failing."""
        self.region.application(params["ApplicationName"])
        self._exactly_one(params)
        settings = options.read(params.get("OptionSettings"))
        if params.get("EnvironmentName") is not None:
            self.region.find(params)
        else:
            settings = self.templates.find(params["ApplicationName"], params["TemplateName"]).settings | settings
        messages = [
            {
                "Message": problem.message,
                "Severity": "error",
                "Namespace": problem.namespace,
                "OptionName": problem.name,
            }
            for problem in options.check_all(settings)
        ]
        return {"Messages": messages}

    def delete_environment_configuration(self, call: Call, params: Params) -> None:
        """Forget the draft that failed; one that is being deployed stays."""
        self.region.application(params["ApplicationName"])
        environment = self.region.find(params)
        if environment.draft is not None and environment.draft.status == "failed":
            environment.draft = None


def _describe_definition(definition: options.Definition) -> Answer:
    return {
        "Namespace": definition.namespace,
        "Name": definition.name,
        "DefaultValue": definition.default,
        "ChangeSeverity": definition.severity,
        "UserDefined": definition.user_defined,
        "ValueType": definition.type,
        "ValueOptions": list(definition.values) or None,
        "MinValue": definition.min,
        "MaxValue": definition.max,
        "Regex": {"Label": definition.regex["label"], "Pattern": definition.regex["pattern"]}
        if definition.regex
        else None,
    }
