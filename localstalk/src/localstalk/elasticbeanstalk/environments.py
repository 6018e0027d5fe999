# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments: create, update, terminate."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal

from localstalk.elasticbeanstalk import bundles, options, saved
from localstalk.elasticbeanstalk.databases import Databases
from localstalk.elasticbeanstalk.descriptions import Descriptions, describe_environment
from localstalk.elasticbeanstalk.errors import (
    InvalidParameterCombination,
    InvalidParameterValue,
    ServiceError,
    must_be_ready,
)
from localstalk.elasticbeanstalk.fleet import Fleet
from localstalk.elasticbeanstalk.state import TIER_TYPES, Call, Environment, Operation, Platform, Settings, Status
from localstalk.scheduler import Held
from localstalk.workflows import launch
from localstalk.workflows.update import Before, Change, update
from localstalk.workflows.work import Superseded, Work

Kind = Literal["create", "deploy", "config", "terminate", "rebuild", "restart", "swap", "tags", "logs"]


class Environments(Descriptions):
    """The life of environments."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.fleet = Fleet(self.control, self.account, self.name)
        self.databases = Databases(self.account, self.name)

    # --- what workflows need ---

    def begin(
        self, environment: Environment, call: Call, kind: Kind, status: Status, work: Coroutine[Any, Any, None]
    ) -> None:
        """Occupy the environment and start a workflow in it."""
        clock = self.control.clock
        environment.status = status
        environment.operation = Operation(kind, call.request_id, clock.seconds())
        environment.abortable = kind in ("deploy", "config")
        environment.updated = clock.now()
        self.control.scheduler.spawn(self._guard(environment, call, work), f"{kind} {environment.name}")

    async def _guard(self, environment: Environment, call: Call, work: Coroutine[Any, Any, None]) -> None:
        """A defect of ours must not leave an environment busy for ever."""
        environment.workflows += 1
        request_id = call.request_id or None
        kind = environment.operation.kind if environment.operation else ""
        clock, faults = self.control.clock, self.control.faults
        began = clock.seconds()
        try:
            await Held(work, lambda: faults.stuck(kind, environment.name, clock.seconds() - began))
        except Superseded:
            return
        except Exception:
            self.record(
                "localstalk failed internally; see its log.",
                "FATAL",
                environment=environment,
                request_id=request_id,
            )
            if environment.operation is not None and environment.operation.request_id == call.request_id:
                environment.status, environment.operation, environment.abortable = "Ready", None, False
            raise
        finally:
            environment.workflows -= 1

    def end(self, environment: Environment) -> None:
        """The environment is Terminated; its name and CNAME are free at once (eb-facts §4)."""
        clock = self.control.clock
        self.control.names.pop((self.name, environment.cname), None)
        environment.status, environment.abortable, environment.operation = "Terminated", False, None
        environment.terminated_at, environment.terminated = clock.seconds(), clock.now()
        environment.updated = clock.now()
        environment.health.color, environment.health.status, environment.health.causes = "Grey", "NoData", []
        environment.instances.clear()

    # --- names ---

    def full_name(self, prefix: str) -> str:
        """The public name of a CNAME prefix."""
        return f"{prefix.lower()}.{self.name}.elasticbeanstalk.com"

    def check_dns_availability(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Whether a prefix is free in this region, over all accounts."""
        name = self.full_name(params["CNAMEPrefix"])
        return {"Available": (self.name, name) not in self.control.names, "FullyQualifiedCNAME": name}

    def public_url(self, name: str) -> str | None:
        """The plain URL of a CNAME or CNAME prefix held by an environment here."""
        wanted = name.lower()
        for fqdn in (wanted, self.full_name(wanted)):
            if (self.name, fqdn) in self.control.names:
                return self.control.driver.url(fqdn)
        return None

    def overview(self) -> list[dict[str, Any]]:
        """One line per living environment."""
        return [
            {
                "application": each.application,
                "name": each.name,
                "id": each.id,
                "region": self.name,
                "status": each.status,
                "health": each.health.color,
                "version": each.version_label,
                "cname": each.cname,
                "url": self.control.driver.url(each.cname) if each.cname else None,
                "instances": list(each.instances),
            }
            for each in self.alive()
        ]

    # --- create ---

    def create_environment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Start to make an environment; answers at once, Launching and Grey."""
        self.application(params["ApplicationName"])
        return describe_environment(self._create(call, params))

    def _create(self, call: Call, params: dict[str, Any]) -> Environment:
        name = self._new_name(params)
        if self.by_name(name) is not None:
            raise InvalidParameterValue(f"Environment {name} already exists.")
        tier = _tier(params)
        label = self._deployable(params)
        platform, template, base = self._base(call, params)
        given = options.read(params.get("OptionSettings"))
        removed = options.read_names(params.get("OptionsToRemove"))
        self.refuse_overlap(given, removed)
        self.refuse(given)
        cname = self._new_cname(params.get("CNAMEPrefix"), name, tier)
        self._check_quota()
        now = self.control.clock.now()
        environment = Environment(
            self.control.environment_id(), name, params["ApplicationName"],
            self.arn("environment", params["ApplicationName"], name), now, now, platform, tier,
            params.get("Description"), params.get("GroupName"), cname,
        )  # fmt: skip
        environment.version_label = environment.expected_label = label
        environment.template, environment.operations_role = template, params.get("OperationsRole")
        environment.template_settings = {key: value for key, value in base.items() if key not in removed}
        environment.api_settings = given
        environment.tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags") or ()}
        environment.started_at = environment.health.since = self.control.clock.seconds()
        self.environments[environment.id] = environment
        if cname:
            self.control.names[self.name, cname] = environment.id
        self.watch_health()
        work = Work(self._region(), environment, call.request_id)
        self.begin(environment, call, "create", "Launching", launch.create(work))
        return environment

    def _region(self) -> Any:
        return self

    def watch_health(self) -> None:
        """Given by the topic of health."""
        raise NotImplementedError

    def _new_name(self, params: dict[str, Any]) -> str:
        if params.get("EnvironmentName") is not None:
            return str(params["EnvironmentName"])
        group, label = params.get("GroupName"), params.get("VersionLabel")
        if group is None or label is None:
            raise ServiceError("MissingRequiredParameter", "EnvironmentName must be specified.")
        version = self.version(params["ApplicationName"], label)
        content = self.storage.read(version.bucket, version.key) or b""
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

    def _deployable(self, params: dict[str, Any]) -> str:
        label = params.get("VersionLabel")
        if label is None:
            return self._sample_version(params["ApplicationName"])
        version = self.version(params["ApplicationName"], label)
        if version.status in ("FAILED", "PROCESSING", "BUILDING"):
            text = f"Application version {label} is in the state {version.status} and cannot be deployed."
            raise InvalidParameterValue(text)
        return str(label)

    def _sample_version(self, application: str) -> str:
        label = "Sample Application"
        versions = self.application(application).versions
        if label not in versions:
            bucket, key = self._source(None)
            params = {"VersionLabel": label, "Description": "AWS sample application"}
            call = Call(self.control.uuid(), "CreateApplicationVersion", "")
            self._new_version(call, self.applications[application], params, bucket, key)
        return label

    def _base(self, call: Call, params: dict[str, Any]) -> tuple[Platform, str | None, Settings]:
        ways = [name for name in ("TemplateName", "SolutionStackName", "PlatformArn") if params.get(name) is not None]
        if len(ways) > 1:
            raise InvalidParameterCombination(f"{' and '.join(ways)} cannot be specified together.")
        platform = self.chosen_platform(params)
        if call.clone_of is not None:
            source = self.named({"EnvironmentName": call.clone_of})
            return platform or source.platform, None, self.given(source)
        if params.get("TemplateName") is not None:
            template = self.template(params["ApplicationName"], params["TemplateName"])
            return template.platform, template.name, dict(template.settings)
        if platform is None:
            raise InvalidParameterValue("Unable to determine base for template pack (no solution stack)")
        return platform, None, {}

    def _new_cname(self, prefix: str | None, name: str, tier: str) -> str:
        if tier == "Worker":
            if prefix is not None:
                raise InvalidParameterValue("Environment does not support a cname")
            return ""
        if prefix is None:
            return f"{name.lower()}.eba-{self.control.letters(8)}.{self.name}.elasticbeanstalk.com"
        full = self.full_name(prefix)
        if (self.name, full) in self.control.names:
            raise InvalidParameterValue(f"DNS name ({prefix}) is not available.")
        return full

    def _check_quota(self) -> None:
        count = sum(1 for _ in self.alive())
        self.check_quota("Environment", "Environments", count, "TooManyEnvironmentsException")

    # --- update ---

    def update_environment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Start to deploy a version, settings or both; the answer still shows the old label (eb-facts §1.5)."""
        environment = self.named(params)
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
            environment.draft = self.draft(environment, "pending", self.control.clock.now())
        work = Work(self._region(), environment, call.request_id)
        environment.deployment_kind = "Configuration" if label is None else "Application"
        self.begin(environment, call, "deploy" if label else "config", "Updating", update(work, change))
        return describe_environment(environment)

    def _with_contents(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters with the settings and the platform of the configuration file that came with the call."""
        if call.contents is None:
            return params
        try:
            read = saved.read(call.contents)
        except ValueError as error:
            raise InvalidParameterValue(f"The configuration cannot be read: {error}.") from error
        settings = [
            {"Namespace": namespace, "OptionName": name, "Value": value}
            for (namespace, name), value in read.settings.items()
        ]
        return params | read.platform | {"OptionSettings": settings + (params.get("OptionSettings") or [])}

    def _change(self, environment: Environment, label: str | None, params: dict[str, Any]) -> Change:
        ways = [name for name in ("TemplateName", "SolutionStackName", "PlatformArn") if params.get(name) is not None]
        if len(ways) > 1:
            raise InvalidParameterCombination(f"{' and '.join(ways)} cannot be specified together.")
        given = options.read(params.get("OptionSettings"))
        removed = options.read_names(params.get("OptionsToRemove"))
        self.refuse_overlap(given, removed)
        self.refuse(given)
        self.refuse_limits(environment, given)
        self._refuse_other_balancer(environment, given)
        platform = self.chosen_platform(params)
        before = Before.of(environment, self.effective(environment))
        if params.get("TemplateName") is not None:
            template = self.template(environment.application, params["TemplateName"])
            self.refuse(template.settings)
            environment.template, environment.template_settings = template.name, dict(template.settings)
        if platform is not None:
            environment.platform = platform
        merged = environment.api_settings | given
        environment.api_settings = {key: value for key, value in merged.items() if key not in removed}
        environment.template_settings = {
            key: value for key, value in environment.template_settings.items() if key not in removed
        }
        return Change(label, bool(ways or given or removed), before)

    def refuse_limits(self, environment: Environment, given: Settings) -> None:
        """MinSize and MaxSize must fit each other also when only one of them is given."""
        names = [("aws:autoscaling:asg", name) for name in ("MinSize", "MaxSize")]
        if any(key in given for key in names):
            self.refuse({key: (self.effective(environment) | given)[key] for key in names})

    def _refuse_other_balancer(self, environment: Environment, given: Settings) -> None:
        """The type of a load balancer stays what it was when it was made (eb-facts §8.3)."""
        key = ("aws:elasticbeanstalk:environment", "LoadBalancerType")
        if environment.load_balanced and given.get(key, self.option(environment, *key)) != self.option(
            environment, *key
        ):
            where = f"(Namespace: '{key[0]}', OptionName: '{key[1]}')"
            text = f"Invalid option value: '{given[key]}' {where}: The type of a load balancer cannot be changed."
            raise options.Problem(*key, text).error()

    # --- terminate ---

    def terminate_environment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Start to end an environment, also one that still launches; refused while an update runs (eb-facts §2.3)."""
        environment = self.named(params)
        if environment.status in ("Updating", "Aborting"):
            text = f"Cannot terminate environment named {environment.name}. It is currently pending deployment."
            raise InvalidParameterValue(text)
        if environment.status not in ("Ready", "Launching"):
            raise must_be_ready(environment.name)
        linked = [each for each in self.alive() if environment.name in each.links.values()]
        if linked and not params.get("ForceTerminate"):
            text = f"Cannot terminate environment named {environment.name}. Other environments link to it."
            raise InvalidParameterValue(text)
        work = Work(self._region(), environment, call.request_id)
        self.begin(environment, call, "terminate", "Terminating", launch.terminate(work))
        return describe_environment(environment)


def _tier(params: dict[str, Any]) -> str:
    tier = params.get("Tier") or {}
    name = tier.get("Name") or "WebServer"
    kind = tier.get("Type")
    if name not in TIER_TYPES or kind not in (None, "", TIER_TYPES[name]):
        raise InvalidParameterValue(f"Invalid environment tier: Name = '{name}', Type = '{kind}'.")
    return str(name)
