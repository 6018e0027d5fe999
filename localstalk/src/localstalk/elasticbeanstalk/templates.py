# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved configurations, which the API calls configuration templates."""

from __future__ import annotations

from localstalk.elasticbeanstalk.api import Answer, Params, read_tags
from localstalk.elasticbeanstalk.platforms import Platforms
from localstalk.model import options, saved_configurations
from localstalk.model.description import Subject, describe
from localstalk.model.errors import InvalidParameterCombination, InvalidParameterValue
from localstalk.model.region import Region
from localstalk.model.settings import given_settings
from localstalk.model.state import Call, Platform, Settings, Template


class Templates:
    """Operations on saved configurations."""

    def __init__(self, region: Region, platforms: Platforms) -> None:
        self.region = region
        self.platforms = platforms

    def find(self, application: str, name: str) -> Template:
        """A saved configuration as its file in S3 says, or the service's error."""
        known = self.region.application(application).templates.get(name)
        content = self.region.storage.read(self.region.bucket, saved_configurations.key(application, name))
        if content is not None and (known is None or known.content != content):
            known = self._load(application, name, content)
        if known is None:
            raise InvalidParameterValue(f"No Configuration Template named '{application}/{name}' found.")
        return known

    def _load(self, application: str, name: str, content: bytes) -> Template:
        """Take over what somebody uploaded: ``eb config put`` makes and changes saved configurations so."""
        try:
            read = saved_configurations.read(content)
        except ValueError as error:
            # The service's own wording is unknown.
            raise InvalidParameterValue(f"Configuration Template {name} cannot be read: {error}.") from error
        templates, now = self.region.applications[application].templates, self.region.control.clock.now()
        old = templates.get(name)
        platform = self.platforms.chosen(read.platform) or (old.platform if old else None)
        if platform is None:
            raise InvalidParameterValue("Unable to determine base for template pack (no solution stack)")
        arn, created = self.region.arn("configurationtemplate", application, name), old.created if old else now
        template = Template(
            application, name, arn, platform, created, now, read.settings, read.description, read.tags, content=content
        )
        templates[name] = template
        return template

    def describe(self, application: str, name: str) -> Answer:
        """A saved configuration, with all options of an environment that is made of it."""
        template, fleet = self.find(application, name), self.region.fleet
        subject = Subject(
            template.platform, template.tier, self.region.name, lambda kind: fleet.image(template.platform, kind)
        )
        return describe_template(template) | {"OptionSettings": describe(template.settings, subject)}

    def _store(self, template: Template) -> None:
        template.content = saved_configurations.write(template)
        self.region.storage.write(
            self.region.bucket, saved_configurations.key(template.application, template.name), template.content
        )

    def create_configuration_template(self, call: Call, params: Params) -> Answer:
        """From a platform, another saved configuration, or an environment; settings of the call win."""
        application = self.region.application(params["ApplicationName"])
        name = params["TemplateName"]
        if name in application.templates:
            raise InvalidParameterValue(f"Configuration Template {name} already exists.")
        self._check_template_quota()
        if call.clone_of is not None:
            params = params | {"EnvironmentId": self.region.find({"EnvironmentName": call.clone_of}).id}
        platform, settings = self._template_base(params)
        given = options.read(params.get("OptionSettings"))
        options.refuse(given)
        now = self.region.control.clock.now()
        arn = self.region.arn("configurationtemplate", application.name, name)
        template = Template(
            application.name, name, arn, platform, now, now, settings | given, params.get("Description")
        )
        template.tags = read_tags(params)
        if params.get("EnvironmentId") is not None:
            template.tier = self.region.find({"EnvironmentId": params["EnvironmentId"]}).tier
        application.templates[name] = template
        self._store(template)
        return describe_template(template)

    def _check_template_quota(self) -> None:
        count = sum(len(each.templates) for each in self.region.applications.values())
        code = "TooManyConfigurationTemplatesException"
        self.region.check_quota("ConfigurationTemplate", "Configuration Templates", count, code)

    def _template_base(self, params: Params) -> tuple[Platform, Settings]:
        source = params.get("SourceConfiguration") or {}
        names = [bool(params.get(name)) for name in ("SolutionStackName", "PlatformArn")]
        if all(names):
            raise InvalidParameterCombination("SolutionStackName and PlatformArn cannot be specified together.")
        chosen = self.platforms.chosen(params)
        if params.get("EnvironmentId") is not None:
            environment = self.region.find({"EnvironmentId": params["EnvironmentId"]})
            return chosen or environment.platform, dict(given_settings(environment))
        if source.get("TemplateName"):
            base = self.find(source.get("ApplicationName") or params["ApplicationName"], source["TemplateName"])
            if chosen is not None and chosen != base.platform:
                raise InvalidParameterValue("The solution stack name must match that of the source configuration.")
            return base.platform, dict(base.settings)
        if chosen is None:
            raise InvalidParameterValue("Unable to determine base for template pack (no solution stack)")
        return chosen, {}

    def update_configuration_template(self, call: Call, params: Params) -> Answer:
        """Change description and settings."""
        template = self.find(params["ApplicationName"], params["TemplateName"])
        given = options.read(params.get("OptionSettings"))
        removed = options.read_names(params.get("OptionsToRemove"))
        options.refuse_overlap(given, removed)
        options.refuse(given)
        if params.get("Description") is not None:
            template.description = params["Description"]
        template.settings = {key: value for key, value in (template.settings | given).items() if key not in removed}
        template.updated = self.region.control.clock.now()
        self._store(template)
        return describe_template(template)

    def delete_configuration_template(self, call: Call, params: Params) -> None:
        """Forget a saved configuration; environments keep the settings they took from it."""
        self.find(params["ApplicationName"], params["TemplateName"])
        del self.region.applications[params["ApplicationName"]].templates[params["TemplateName"]]
        self.region.storage.delete(
            self.region.bucket, saved_configurations.key(params["ApplicationName"], params["TemplateName"])
        )


def describe_template(template: Template) -> Answer:
    """A saved configuration, with what was set in it."""
    return {
        "SolutionStackName": template.platform.solution_stack,
        "PlatformArn": template.platform.arn,
        "ApplicationName": template.application,
        "TemplateName": template.name,
        "Description": template.description,
        "DateCreated": template.created,
        "DateUpdated": template.updated,
        "OptionSettings": [
            # A password goes in, but never comes out again.
            options.members(option) | ({} if option[1] == "DBPassword" else {"Value": template.settings[option]})
            for option in sorted(template.settings, key=options.order)
        ],
    }
