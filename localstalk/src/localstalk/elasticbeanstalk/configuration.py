# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings: where they come from, what they are in effect, and the operations that show and check them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from localstalk.elasticbeanstalk import bundles, options, saved, stacks
from localstalk.elasticbeanstalk.applications import Applications
from localstalk.elasticbeanstalk.errors import (
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingRequiredParameter,
)
from localstalk.elasticbeanstalk.platforms import Platforms
from localstalk.elasticbeanstalk.secrets import Secrets
from localstalk.elasticbeanstalk.state import Call, Draft, Environment, Option, Platform, Settings, Template
from localstalk.engine import ebextensions

if TYPE_CHECKING:
    from localstalk.workflows.work import Work

_FAILED_VALIDATION = '"option_settings" in one of the configuration files failed validation. More details to follow.'


class Configuration(Platforms, Applications):
    """Settings of environments and the operations on them."""

    # --- what is in effect ---

    def effective(self, environment: Environment) -> Settings:
        """Precedence: API call, saved configuration, .ebextensions, default (eb-facts §5.2)."""
        return {**_defaults(environment.platform), **self.given(environment)}

    def given(self, environment: Environment) -> Settings:
        """The effective settings without the defaults."""
        return {**environment.bundle_settings, **environment.template_settings, **environment.api_settings}

    def option(self, environment: Environment, namespace: str, name: str, default: str = "") -> str:
        """One effective setting."""
        key = (namespace, name)
        for settings in (environment.api_settings, environment.template_settings, environment.bundle_settings):
            if key in settings:
                return settings[key]
        return _defaults(environment.platform).get(key, default)

    def properties(self, settings: Settings) -> dict[str, str]:
        """Environment properties, with references to secrets resolved. Raises SecretError for one that cannot be."""
        profile = settings.get(("aws:autoscaling:launchconfiguration", "IamInstanceProfile"), "")
        stores = Secrets(self.account, self.name, profile)
        found = {
            name: stores.substitute(value) for (space, name), value in settings.items() if space == options.ENVIRONMENT
        }
        for (space, name), value in settings.items():
            if space == options.SECRETS:
                found[name] = stores.by_arn(value)
        return found

    def read_bundle_settings(self, work: Work, label: str) -> bool:
        """Take over ``option_settings`` of a bundle; problems become events. Whether the operation may go on."""
        version = self.version(work.environment.application, label)
        content = self.storage.read(version.bucket, version.key)
        if content is None:
            return True
        files = bundles.configuration(content, label)
        for file in files:
            if file.error:
                work.say(file.error, "ERROR" if file.fatal else "WARN")
        if any(file.fatal for file in files):
            return False
        settings: Settings = {}
        for namespace, name, value in ebextensions.option_settings(files):
            settings[namespace, name] = options.normalize(namespace, name, value)
        problems = options.check_all(settings)
        if problems:
            work.say(_FAILED_VALIDATION, "ERROR")
            for problem in problems:
                work.say(problem.message, "ERROR")
            return False
        resources = ebextensions.resources(files)
        refused = stacks.problem(resources)
        if refused is not None:
            work.say(refused, "ERROR")
            return False
        work.environment.bundle_settings, work.environment.bundle_resources = settings, resources
        return True

    def draft(self, environment: Environment, status: Literal["pending", "failed"], created: datetime) -> Draft:
        """The settings as they would be, kept while they are deployed or after that failed."""
        return Draft(self.effective(environment), status, created, self.control.clock.now())

    # --- operations ---

    def describe_configuration_settings(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Deployed settings of an environment (and its draft), or a saved configuration."""
        application = self.application(params["ApplicationName"])
        self._exactly_one(params)
        if params.get("TemplateName") is not None:
            return {
                "ConfigurationSettings": [
                    _describe_template(self.template(application.name, params["TemplateName"]), full=True)
                ]
            }
        environment = self.named(params)
        described = [
            self._describe(
                environment, self.effective(environment), "deployed", environment.created, environment.updated
            )
        ]
        draft = environment.draft
        if draft is not None:
            described.append(self._describe(environment, draft.settings, draft.status, draft.created, draft.updated))
        return {"ConfigurationSettings": described}

    @staticmethod
    def _exactly_one(params: dict[str, Any]) -> None:
        given = [name for name in ("EnvironmentName", "TemplateName") if params.get(name) is not None]
        if len(given) == 2:
            raise InvalidParameterCombination("TemplateName and EnvironmentName cannot be specified together.")
        if not given:
            raise MissingRequiredParameter("Either TemplateName or EnvironmentName must be specified.")

    def _describe(
        self, environment: Environment, settings: Settings, status: str, created: datetime, updated: datetime
    ) -> dict[str, Any]:
        return {
            "SolutionStackName": environment.platform.solution_stack,
            "PlatformArn": environment.platform.arn,
            "ApplicationName": environment.application,
            "Description": environment.description,
            "EnvironmentName": environment.name,
            "DeploymentStatus": status,
            "DateCreated": created,
            "DateUpdated": updated,
            "OptionSettings": _setting_list(settings),
            "Tier": environment.tier_answer,
        }

    def describe_configuration_options(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Definitions of options, of all or of those asked for."""
        platform = self.chosen_platform(params)
        if platform is None and params.get("TemplateName") is not None:
            platform = self.template(params.get("ApplicationName", ""), params["TemplateName"]).platform
        if platform is None and params.get("EnvironmentName") is not None:
            platform = self.named(params).platform
        asked = options.read_names(params.get("Options"))
        found = [_describe_definition(each) for key, each in options.definitions().items() if not asked or key in asked]
        answer: dict[str, Any] = {"Options": found}
        if platform is not None:
            answer |= {"SolutionStackName": platform.solution_stack, "PlatformArn": platform.arn}
        return answer

    def validate_configuration_settings(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Answers messages instead of failing."""
        self.application(params["ApplicationName"])
        self._exactly_one(params)
        settings = options.read(params.get("OptionSettings"))
        if params.get("EnvironmentName") is not None:
            self.named(params)
        else:
            settings = self.template(params["ApplicationName"], params["TemplateName"]).settings | settings
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

    def delete_environment_configuration(self, call: Call, params: dict[str, Any]) -> None:
        """Forget the draft that failed; one that is being deployed stays."""
        self.application(params["ApplicationName"])
        environment = self.named(params)
        if environment.draft is not None and environment.draft.status == "failed":
            environment.draft = None

    # --- saved configurations ---

    def template(self, application: str, name: str) -> Template:
        """A saved configuration as its file in S3 says, or the service's error."""
        known = self.application(application).templates.get(name)
        content = self.storage.read(self.bucket, saved.key(application, name))
        if content is not None and (known is None or known.content != content):
            known = self._load(application, name, content)
        if known is None:
            raise InvalidParameterValue(f"No Configuration Template named '{application}/{name}' found.")
        return known

    def _load(self, application: str, name: str, content: bytes) -> Template:
        """Take over what somebody uploaded: ``eb config put`` makes and changes saved configurations so."""
        try:
            read = saved.read(content)
        except ValueError as error:
            # The service's own wording is unknown.
            raise InvalidParameterValue(f"Configuration Template {name} cannot be read: {error}.") from error
        templates, now = self.applications[application].templates, self.control.clock.now()
        old = templates.get(name)
        platform = self.chosen_platform(read.platform) or (old.platform if old else None)
        if platform is None:
            raise InvalidParameterValue("Unable to determine base for template pack (no solution stack)")
        arn, created = self.arn("configurationtemplate", application, name), old.created if old else now
        template = Template(
            application, name, arn, platform, created, now, read.settings, read.description, read.tags, content=content
        )
        templates[name] = template
        return template

    def _store(self, template: Template) -> None:
        template.content = saved.write(template)
        self.storage.write(self.bucket, saved.key(template.application, template.name), template.content)

    def create_configuration_template(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """From a platform, another saved configuration, or an environment; settings of the call win."""
        application = self.application(params["ApplicationName"])
        name = params["TemplateName"]
        if name in application.templates:
            raise InvalidParameterValue(f"Configuration Template {name} already exists.")
        self._check_template_quota()
        if call.clone_of is not None:
            params = params | {"EnvironmentId": self.named({"EnvironmentName": call.clone_of}).id}
        platform, settings = self._template_base(params)
        given = options.read(params.get("OptionSettings"))
        self.refuse(given)
        now = self.control.clock.now()
        arn = self.arn("configurationtemplate", application.name, name)
        template = Template(
            application.name, name, arn, platform, now, now, settings | given, params.get("Description")
        )
        template.tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags") or ()}
        if params.get("EnvironmentId") is not None:
            template.tier = self.named({"EnvironmentId": params["EnvironmentId"]}).tier
        application.templates[name] = template
        self._store(template)
        return _describe_template(template)

    def _check_template_quota(self) -> None:
        count = sum(len(each.templates) for each in self.applications.values())
        code = "TooManyConfigurationTemplatesException"
        self.check_quota("ConfigurationTemplate", "Configuration Templates", count, code)

    def _template_base(self, params: dict[str, Any]) -> tuple[Platform, Settings]:
        source = params.get("SourceConfiguration") or {}
        names = [bool(params.get(name)) for name in ("SolutionStackName", "PlatformArn")]
        if all(names):
            raise InvalidParameterCombination("SolutionStackName and PlatformArn cannot be specified together.")
        chosen = self.chosen_platform(params)
        if params.get("EnvironmentId") is not None:
            environment = self.named({"EnvironmentId": params["EnvironmentId"]})
            return chosen or environment.platform, dict(self.given(environment))
        if source.get("TemplateName"):
            base = self.template(source.get("ApplicationName") or params["ApplicationName"], source["TemplateName"])
            if chosen is not None and chosen != base.platform:
                raise InvalidParameterValue("The solution stack name must match that of the source configuration.")
            return base.platform, dict(base.settings)
        if chosen is None:
            raise InvalidParameterValue("Unable to determine base for template pack (no solution stack)")
        return chosen, {}

    def update_configuration_template(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Change description and settings."""
        template = self.template(params["ApplicationName"], params["TemplateName"])
        given = options.read(params.get("OptionSettings"))
        removed = options.read_names(params.get("OptionsToRemove"))
        self.refuse_overlap(given, removed)
        self.refuse(given)
        if params.get("Description") is not None:
            template.description = params["Description"]
        template.settings = {key: value for key, value in (template.settings | given).items() if key not in removed}
        template.updated = self.control.clock.now()
        self._store(template)
        return _describe_template(template)

    def delete_configuration_template(self, call: Call, params: dict[str, Any]) -> None:
        """Forget a saved configuration; environments keep the settings they took from it."""
        self.template(params["ApplicationName"], params["TemplateName"])
        del self.applications[params["ApplicationName"]].templates[params["TemplateName"]]
        self.storage.delete(self.bucket, saved.key(params["ApplicationName"], params["TemplateName"]))

    # --- checks ---

    @staticmethod
    def refuse(settings: Settings) -> None:
        """Raise the error of the first setting that is wrong."""
        for problem in options.check_all(settings):
            raise problem.error()

    @staticmethod
    def refuse_overlap(given: Settings, removed: Iterable[Option]) -> None:
        """An option cannot be set and removed in one call."""
        for namespace, name in removed:
            if (namespace, name) in given:
                text = f"Option '{name}' of namespace '{namespace}' cannot be both set and removed."
                raise InvalidParameterCombination(text)


def _defaults(platform: Platform) -> Settings:
    return options.defaults() if platform.generation == "al1" else _enhanced_defaults()


@cache
def _enhanced_defaults() -> Settings:
    # AL2 and later always report enhanced health, whatever the documented default (eb-facts §2.2).
    return options.defaults() | {("aws:elasticbeanstalk:healthreporting:system", "SystemType"): "enhanced"}


def _setting_list(settings: Settings) -> list[dict[str, str]]:
    return [
        # A password goes in, but never comes out again.
        {"Namespace": namespace, "OptionName": name} | ({} if name == "DBPassword" else {"Value": value})
        for (namespace, name), value in sorted(settings.items())
    ]


def _describe_template(template: Template, *, full: bool = False) -> dict[str, Any]:
    settings = {**_defaults(template.platform), **template.settings} if full else template.settings
    return {
        "SolutionStackName": template.platform.solution_stack,
        "PlatformArn": template.platform.arn,
        "ApplicationName": template.application,
        "TemplateName": template.name,
        "Description": template.description,
        "DateCreated": template.created,
        "DateUpdated": template.updated,
        "OptionSettings": _setting_list(settings),
    }


def _describe_definition(definition: options.Definition) -> dict[str, Any]:
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
