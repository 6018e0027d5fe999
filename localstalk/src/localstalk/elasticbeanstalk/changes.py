# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap, abort, restart, rebuild and operations roles."""

from __future__ import annotations

from localstalk.elasticbeanstalk.api import Params
from localstalk.model.errors import (
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingRequiredParameter,
    environment_not_found,
    invalid_state,
    must_be_ready,
)
from localstalk.model.region import Region
from localstalk.model.state import Call, Environment
from localstalk.workflows import changes, launch
from localstalk.workflows.runner import Runner


class Changes:
    """Operations that change an environment without updating it."""

    def __init__(self, region: Region, runner: Runner) -> None:
        self.region = region
        self.runner = runner

    def swap_environment_cnames(self, call: Call, params: Params) -> None:
        """Exchange two CNAMEs. Stricter than known (§12.3 of docs/elastic_beanstalk.md): both Ready, with a
        CNAME, of one application.
        """
        source, destination = self._pair(params)
        for environment in (source, destination):
            if environment.status != "Ready":
                raise must_be_ready(environment.name)
            if not environment.cname:
                raise InvalidParameterValue("Environment does not support a cname")
        if source is destination:
            raise InvalidParameterValue("The source and the destination environment must be different.")
        if source.application != destination.application:
            text = "The source and the destination environment must belong to the same application."
            raise InvalidParameterValue(text)
        context = self.runner.context(source, call)
        self.runner.begin(source, call, "swap", "Updating", changes.swap(context, destination))
        destination.operation, destination.status = source.operation, "Updating"

    def _pair(self, params: Params) -> tuple[Environment, Environment]:
        ids = [params.get(f"{side}EnvironmentId") for side in ("Source", "Destination")]
        names = [params.get(f"{side}EnvironmentName") for side in ("Source", "Destination")]
        if all(ids) or all(names):
            return self.region.find(params, "Source"), self.region.find(params, "Destination")
        if any(ids) and any(names):
            text = "The source and the destination environment must both be given by id, or both by name."
            raise InvalidParameterCombination(text)
        raise MissingRequiredParameter("Both the source and the destination environment must be specified.")

    def abort_environment_update(self, call: Call, params: Params) -> None:
        """Ask the update under way to stop at its next point where it can."""
        environment = self.region.find(params)
        operation = environment.operation
        if environment.status != "Updating" or not environment.abortable or operation is None:
            raise invalid_state(environment.name, "pending deployment")
        operation.abort_requested, operation.abort_request_id = True, call.request_id
        environment.status = "Aborting"

    def restart_app_server(self, call: Call, params: Params) -> None:
        """Restart application and proxy on the instances."""
        environment = self.region.find_ready(params)
        context = self.runner.context(environment, call)
        self.runner.begin(environment, call, "restart", "Updating", changes.restart(context))

    def rebuild_environment(self, call: Call, params: Params) -> None:
        """Make a living environment's resources anew, or restore a terminated one by its id."""
        terminated = self.region.environments.get(params.get("EnvironmentId") or "")
        if terminated is not None and terminated.status == "Terminated":
            self._restore(call, terminated)
            return
        environment = self.region.find_ready(params)
        context = self.runner.context(environment, call)
        self.runner.begin(environment, call, "rebuild", "Updating", launch.rebuild(context))

    def _restore(self, call: Call, environment: Environment) -> None:
        if not self.region.is_restorable(environment):
            raise environment_not_found(environment_id=environment.id)
        if self.region.by_name(environment.name) is not None:
            raise InvalidParameterValue(f"Environment {environment.name} already exists.")
        if environment.cname and not self.region.is_free(environment.cname):
            raise InvalidParameterValue(f"Could not rebuild environment {environment.name} because the cname is taken")
        self.region.version(environment.application, environment.version_label or "")
        if environment.cname:
            self.region.hold(environment.cname, environment.id)
        environment.terminated = environment.terminated_at = None
        environment.health.refreshed = None
        environment.health.color, environment.health.status = "Grey", "Pending"
        environment.started_at, environment.deployment_id = self.region.control.clock.seconds(), 0
        context = self.runner.context(environment, call)
        workflow = launch.create(context, "restoreEnvironment is starting.")
        self.runner.begin(environment, call, "create", "Launching", workflow)

    # --- operations roles ---

    def associate_environment_operations_role(self, call: Call, params: Params) -> None:
        """Remember the role; IAM itself is moto's."""
        environment = self.region.find_ready(params)
        environment.operations_role = params["OperationsRole"]
        environment.updated = self.region.control.clock.now()

    def disassociate_environment_operations_role(self, call: Call, params: Params) -> None:
        """Forget the role."""
        environment = self.region.find_ready(params)
        environment.operations_role = None
        environment.updated = self.region.control.clock.now()
