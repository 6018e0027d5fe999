# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments: create, update, terminate."""

from __future__ import annotations

from localstalk.elasticbeanstalk.api import Answer, Params
from localstalk.elasticbeanstalk.descriptions import describe_environment
from localstalk.elasticbeanstalk.platforms import Platforms
from localstalk.elasticbeanstalk.tags import environment_tags
from localstalk.elasticbeanstalk.templates import Templates
from localstalk.elasticbeanstalk.versions import Versions
from localstalk.model import bundles, options, references, saved_configurations
from localstalk.model.errors import InvalidParameterCombination, InvalidParameterValue, ServiceError, must_be_ready
from localstalk.model.region import Region
from localstalk.model.settings import (
    balancer,
    default_settings,
    effective_settings,
    given_settings,
    make_draft,
    option,
)
from localstalk.model.state import TIER_TYPES, Call, Environment, Platform, Settings
from localstalk.workflows import launch
from localstalk.workflows.monitor import Monitor
from localstalk.workflows.runner import Runner
from localstalk.workflows.update import Before, Change, update


class Environments:
    """The life of environments."""

    def __init__(
        self,
        region: Region,
        runner: Runner,
        monitor: Monitor,
        versions: Versions,
        platforms: Platforms,
        templates: Templates,
    ) -> None:
        self.region = region
        self.runner = runner
        self.monitor = monitor
        self.versions = versions
        self.platforms = platforms
        self.templates = templates

    def check_dns_availability(self, call: Call, params: Params) -> Answer:
        """Whether a prefix is free in this region, over all accounts."""
        name = self.region.full_name(params["CNAMEPrefix"])
        return {"Available": self.region.is_free(name), "FullyQualifiedCNAME": name}

    # --- create ---

    def create_environment(self, call: Call, params: Params) -> Answer:
        """Start to make an environment; answers at once, Launching and Grey."""
        self.region.application(params["ApplicationName"])
        return describe_environment(self.create(call, params))

    def create(self, call: Call, params: Params) -> Environment:
        """Start to make an environment, unless something is wrong with the parameters."""
        name = self.new_name(params)
        if self.region.by_name(name) is not None:
            raise InvalidParameterValue(f"Environment {name} already exists.")
        tier = _tier(params)
        label = self._deployable(params)
        platform, template, base = self._base(call, params)
        self._refuse_platform(platform)
        given = options.read(params.get("OptionSettings"))
        removed = options.read_names(params.get("OptionsToRemove"))
        options.refuse_overlap(given, removed)
        options.refuse(given)
        self._refuse_missing({**base, **given}, {**base, **given}, platform, tier)
        tags = environment_tags(params)
        cname = self._new_cname(params.get("CNAMEPrefix"), name, tier)
        self._check_quota()
        now = self.region.control.clock.now()
        environment = Environment(
            self.region.control.environment_id(), name, params["ApplicationName"],
            self.region.arn("environment", params["ApplicationName"], name), now, now, platform, tier,
            params.get("Description"), cname,
        )  # fmt: skip
        environment.version_label = environment.expected_label = label
        environment.template, environment.operations_role = template, params.get("OperationsRole")
        environment.template_settings = {key: value for key, value in base.items() if key not in removed}
        environment.api_settings = given
        environment.tags = tags
        environment.started_at = environment.health.since = self.region.control.clock.seconds()
        self.region.environments[environment.id] = environment
        if cname:
            self.region.hold(cname, environment.id)
        self.monitor.watch()
        context = self.runner.context(environment, call)
        self.runner.begin(environment, call, "create", "Launching", launch.create(context))
        return environment

    def new_name(self, params: Params) -> str:
        """The name that a new environment gets: given, or made of the manifest's and the group's."""
        if params.get("EnvironmentName") is not None:
            return str(params["EnvironmentName"])
        group, label = params.get("GroupName"), params.get("VersionLabel")
        if group is None or label is None:
            raise ServiceError("MissingRequiredParameter", "EnvironmentName must be specified.")
        version = self.region.version(params["ApplicationName"], label)
        content = self.region.storage.read(version.bucket, version.key) or b""
        try:
            name = str(bundles.manifest(content).get("EnvironmentName") or "")
        except ValueError:
            name = ""
        if not name.endswith("+"):
            text = (
                "The environment manifest (env.yaml) must have an EnvironmentName that ends with a plus (+) character."
            )
            raise InvalidParameterValue(text)
        full = f"{name[:-1]}-{group}"
        if not 4 <= len(full) <= 40:
            limits = "Member must have length between 4 and 40"
            text = f"Value {full} at 'EnvironmentName' failed to satisfy constraint: {limits}"
            raise InvalidParameterValue(text)
        return full

    def _deployable(self, params: Params) -> str:
        label = params.get("VersionLabel")
        if label is None:
            return self._sample_version(params["ApplicationName"])
        version = self.region.version(params["ApplicationName"], label)
        if version.status in ("FAILED", "PROCESSING", "BUILDING"):
            text = f"Application version {label} is in the state {version.status} and cannot be deployed."
            raise InvalidParameterValue(text)
        return str(label)

    def _sample_version(self, application: str) -> str:
        label = "Sample Application"
        versions = self.region.application(application).versions
        if label not in versions:
            bucket, key = self.versions.source(None)
            params = {"VersionLabel": label, "Description": "AWS sample application"}
            call = Call(self.region.control.uuid(), "CreateApplicationVersion", "")
            self.versions.add(call, self.region.applications[application], params, bucket, key)
        return label

    def _base(self, call: Call, params: Params) -> tuple[Platform, str | None, Settings]:
        ways = [name for name in ("TemplateName", "SolutionStackName", "PlatformArn") if params.get(name) is not None]
        if len(ways) > 1:
            raise InvalidParameterCombination(f"{' and '.join(ways)} cannot be specified together.")
        platform = self.platforms.chosen(params)
        if call.clone_of is not None:
            source = self.region.find({"EnvironmentName": call.clone_of})
            return platform or source.platform, None, given_settings(source)
        if params.get("TemplateName") is not None:
            template = self.templates.find(params["ApplicationName"], params["TemplateName"])
            return template.platform, template.name, dict(template.settings)
        if platform is None:
            raise InvalidParameterValue("Unable to determine base for template pack (no solution stack)")
        return platform, None, {}

    def _refuse_platform(self, platform: Platform) -> None:
        """Refuse what AWS would run and this driver cannot."""
        reason = self.region.control.driver.refusal(platform.branch, platform.generation)
        if reason is not None:
            raise InvalidParameterValue(reason)

    def _new_cname(self, prefix: str | None, name: str, tier: str) -> str:
        if tier == "Worker":
            if prefix is not None:
                raise InvalidParameterValue("Environment does not support a cname")
            return ""
        if prefix is None:
            return self.region.new_name(name)
        full = self.region.full_name(prefix)
        if not self.region.is_free(full):
            raise InvalidParameterValue(f"DNS name ({prefix}) is not available.")
        return full

    def _check_quota(self) -> None:
        count = sum(1 for _ in self.region.running())
        self.region.check_quota("Environment", "Environments", count, "TooManyEnvironmentsException")

    # --- update ---

    def update_environment(self, call: Call, params: Params) -> Answer:
        """Start to deploy a version, settings or both; the answer still shows the old label.

        See docs/elastic_beanstalk.md §1.5.
        """
        environment = self.region.find(params)
        if environment.status != "Ready":
            raise must_be_ready(environment.name)
        tier = params.get("Tier")
        if tier and (tier.get("Name") or environment.tier) != environment.tier:
            raise InvalidParameterValue("The tier of an environment cannot be changed.")
        label = params.get("VersionLabel")
        if label is not None:
            label = self._deployable({"ApplicationName": environment.application, "VersionLabel": label})
        change = self._change(environment, label, self._with_contents(call, params))
        if params.get("Description") is not None:
            environment.description = params["Description"]
        if change.configured:
            now = self.region.control.clock.now()
            environment.draft = make_draft(environment, "pending", now, now)
        context = self.runner.context(environment, call)
        environment.deployment_kind = "Configuration" if label is None else "Application"
        self.runner.begin(environment, call, "deploy" if label else "config", "Updating", update(context, change))
        return describe_environment(environment)

    def _with_contents(self, call: Call, params: Params) -> Answer:
        """Parameters with the settings and the platform of the configuration file that came with the call."""
        if call.contents is None:
            return params
        try:
            read = saved_configurations.read(call.contents)
        except ValueError as error:
            raise InvalidParameterValue(f"The configuration cannot be read: {error}.") from error
        settings = [options.members(option) | {"Value": value} for option, value in read.settings.items()]
        return params | read.platform | {"OptionSettings": settings + (params.get("OptionSettings") or [])}

    def _change(self, environment: Environment, label: str | None, params: Params) -> Change:
        ways = [name for name in ("TemplateName", "SolutionStackName", "PlatformArn") if params.get(name) is not None]
        if len(ways) > 1:
            raise InvalidParameterCombination(f"{' and '.join(ways)} cannot be specified together.")
        given = options.read(params.get("OptionSettings"))
        removed = options.read_names(params.get("OptionsToRemove"))
        options.refuse_overlap(given, removed)
        options.refuse(given)
        self._refuse_limits(environment, given)
        kept = {key: value for key, value in given_settings(environment).items() if key not in removed}
        self._refuse_missing(given, {**kept, **given}, environment.platform, environment.tier)
        self._refuse_other_balancer(environment, given)
        platform = self.platforms.chosen(params)
        if platform is not None:
            self._refuse_platform(platform)
        before = Before.of(environment, effective_settings(environment))
        if params.get("TemplateName") is not None:
            template = self.templates.find(environment.application, params["TemplateName"])
            options.refuse(template.settings)
            environment.template, environment.template_settings = template.name, dict(template.settings)
        if platform is not None:
            environment.platform = platform
        merged = environment.api_settings | given
        environment.api_settings = {key: value for key, value in merged.items() if key not in removed}
        environment.template_settings = {
            key: value for key, value in environment.template_settings.items() if key not in removed
        }
        return Change(label, bool(ways or given or removed), before)

    def _refuse_missing(self, given: Settings, chosen: Settings, platform: Platform, tier: str) -> None:
        """What settings refer to must be there; ``chosen`` are those that will hold, without defaults."""
        effective = {**default_settings(platform), **chosen}
        references.check(given, effective, balancer(effective, tier), lambda: self.region.fleet.ec2)

    def _refuse_limits(self, environment: Environment, given: Settings) -> None:
        """MinSize and MaxSize must fit each other also when only one of them is given."""
        names = [("aws:autoscaling:asg", name) for name in ("MinSize", "MaxSize")]
        if any(key in given for key in names):
            options.refuse({key: (effective_settings(environment) | given)[key] for key in names})

    def _refuse_other_balancer(self, environment: Environment, given: Settings) -> None:
        """The type of a load balancer stays what it was when it was made (docs/elastic_beanstalk.md §8.3)."""
        key = ("aws:elasticbeanstalk:environment", "LoadBalancerType")
        if environment.load_balanced and given.get(key, option(environment, *key)) != option(environment, *key):
            where = f"(Namespace: '{key[0]}', OptionName: '{key[1]}')"
            text = f"Invalid option value: '{given[key]}' {where}: The type of a load balancer cannot be changed."
            raise options.Problem(*key, text).error()

    # --- terminate ---

    def terminate_environment(self, call: Call, params: Params) -> Answer:
        """Start to end an environment, also one that still launches; refused while an update runs.

        See docs/elastic_beanstalk.md §2.3.
        """
        environment = self.region.find(params)
        if environment.status in ("Updating", "Aborting"):
            text = f"Cannot terminate environment named {environment.name}. It is currently pending deployment."
            raise InvalidParameterValue(text)
        if environment.status not in ("Ready", "Launching"):
            raise must_be_ready(environment.name)
        linked = [each for each in self.region.running() if environment.name in each.links.values()]
        if linked and not params.get("ForceTerminate"):
            text = f"Cannot terminate environment named {environment.name}. Other environments link to it."
            raise InvalidParameterValue(text)
        context = self.runner.context(environment, call)
        self.runner.begin(environment, call, "terminate", "Terminating", launch.terminate(context))
        return describe_environment(environment)


def _tier(params: Params) -> str:
    tier = params.get("Tier") or {}
    name = tier.get("Name") or "WebServer"
    kind = tier.get("Type")
    if name not in TIER_TYPES or kind not in (None, "", TIER_TYPES[name]):
        raise InvalidParameterValue(f"Invalid environment tier: Name = '{name}', Type = '{kind}'.")
    return str(name)
