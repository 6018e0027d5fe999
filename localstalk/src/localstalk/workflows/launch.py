# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating, restoring, rebuilding and terminating environments (event texts: elastic_beanstalk.md §3.1-3.3, §3.7)."""

from __future__ import annotations

from localstalk import accounts
from localstalk.driver import DriverError
from localstalk.model import references
from localstalk.model.settings import effective_settings, needs_launch_template
from localstalk.workflows import checks, databases, scaling
from localstalk.workflows.bundle_settings import read_bundle_settings
from localstalk.workflows.commands import report_results, run_command
from localstalk.workflows.context import ASG, ENVIRONMENT, LAUNCH, Failed, NotCreated, WorkflowContext
from localstalk.workflows.instances import (
    announce_instances,
    attach,
    launch_instances,
    register_instances,
    remove_instances,
)

_COMPLETE_WITH_ERRORS = (
    "Create environment operation is complete, but with errors. "
    "For more information, see troubleshooting documentation."
)


async def create(context: WorkflowContext, opening: str = "createEnvironment is starting.") -> None:
    """From Launching to Ready, or to Terminated when a check fails before anything was made."""
    environment = context.environment
    context.record_event(opening)
    context.record_event(f"Using {context.region.bucket} as Amazon S3 storage bucket for environment data.")
    context.region.storage.ensure_bucket(context.region.bucket)
    if not _validate(context):
        await _give_up(context)
        return
    await context.wait(3)
    context.health.assess(environment)
    try:
        await _build(context)
    except DriverError as error:
        _stack_failed(context, error)
        context.finish()
        return
    try:
        await _first_deployment(context)
    except Failed:
        context.record_event(_COMPLETE_WITH_ERRORS, "ERROR")
    except DriverError as error:
        context.record_event(str(error), "ERROR")
        context.record_event(_COMPLETE_WITH_ERRORS, "ERROR")
    else:
        if environment.cname:
            context.record_event(f"Application available at {environment.cname}.")
        context.record_event(f"Successfully launched environment: {environment.name}")
    environment.ready_at = environment.deployment_ended = context.control.clock.seconds()
    context.finish()


def _validate(context: WorkflowContext) -> bool:
    if not identities_exist(context):
        return False
    label = context.environment.version_label
    return label is None or read_bundle_settings(context, label)


def identities_exist(context: WorkflowContext) -> bool:
    """Whether there are the instance profile and the service role that the settings name; an event says what not."""
    account = context.region.account
    iam = accounts.iam(account)
    problems = (
        references.profile_problem(iam, context.option(LAUNCH, "IamInstanceProfile")),
        references.role_problem(iam, account, context.option(ENVIRONMENT, "ServiceRole")),
    )
    for problem in filter(None, problems):
        context.record_event(problem, "ERROR")
    return not any(problems)


async def _give_up(context: WorkflowContext) -> None:
    context.record_event("Failed to launch environment.", "ERROR")
    await context.wait(5)
    end(context)


def _stack_failed(context: WorkflowContext, error: DriverError) -> None:
    environment = context.environment
    if not isinstance(error, NotCreated):
        error = NotCreated("Auto Scaling group", "AWSEBAutoScalingGroup", str(error))
    reason = f"The following resource(s) failed to create: [{error.logical_id}]. "
    context.fleet.mark(environment, "CREATE_FAILED", reason)
    context.record_event(f"Creating {error.what} failed Reason: {error}", "ERROR")
    context.record_event(
        f"Stack named '{environment.resources.stack.name}' aborted operation. Current state: 'CREATE_FAILED'  "
        f"Reason: {reason}",
        "ERROR",
    )
    context.record_event(
        f"Launched environment: {environment.name}. However, there were issues during launch. "
        "See event log for details."
    )


async def _build(context: WorkflowContext) -> None:
    environment, fleet = context.environment, context.fleet
    fleet.fresh(environment)
    balanced = bool(context.balancer)
    await context.wait(10)
    if balanced:
        await prepare_balancer(context)
    if environment.tier == "Worker":
        fleet.create_queues(environment)
        context.record_event(f"Created SQS queue named: {environment.resources.dead_letter_queue_url}")
        context.record_event(f"Created SQS queue named: {environment.resources.queue_url}")
    context.record_event(
        f"Created security group named: {fleet.create_security_group(environment, 'AWSEBSecurityGroup')}"
    )
    _make_launch(context)
    least, most = group_limits(context, balanced=balanced or environment.tier == "Worker")
    fleet.create_group(environment, least, most, context.number(ASG, "Cooldown", 360))
    await context.wait(10)
    if environment.resources.launch:
        context.record_event(f"Created Auto Scaling launch configuration named: {environment.resources.launch}")
    await databases.couple(context)
    if environment.tier == "WebServer" and not balanced:
        await _open_address(context)
    context.record_event(f"Created Auto Scaling group named: {environment.resources.auto_scaling_group}")
    context.record_event("Waiting for EC2 instances to launch. This may take a few minutes.")
    if balanced or environment.tier == "Worker":
        await _scaling(context)
    instances = await launch_instances(context, least)
    attach(context, instances)
    await context.wait(30)
    announce_instances(context, instances)
    if balanced and not environment.load_balanced:
        await open_balancer(context)
    scaling.schedule(context)
    fleet.mark(environment, "CREATE_COMPLETE")


def _make_launch(context: WorkflowContext) -> None:
    """Make what instances are launched from. Accounts of today cannot have launch configurations
    (aws/aws-elastic-beanstalk-cli#525)."""
    template = needs_launch_template(effective_settings(context.environment))
    if not template and not context.control.launch_configurations:
        text = (
            "The Launch Configuration creation operation is not available in your account. Use launch templates to "
            "create configuration templates for your Auto Scaling groups."
        )
        kind = "AWSEBAutoScalingLaunchConfiguration"
        raise NotCreated("Auto Scaling launch configuration", kind, _by_handler(context, text))
    machine = context.machine()
    context.fleet.create_launch(context.environment, machine, template=template)
    if problem := references.architecture_problem(context.fleet.ec2, machine.image, machine.kind):
        raise NotCreated("Auto Scaling group", "AWSEBAutoScalingGroup", _by_handler(context, problem))


def _by_handler(context: WorkflowContext, text: str, service: str = "AutoScaling") -> str:
    """Why CloudFormation could not make a resource, in its words."""
    request, token = context.control.uuid(), context.control.uuid()
    return (
        f'Resource handler returned message: "{text} (Service: {service}, Status Code: 400, Request ID: {request})" '
        f"(RequestToken: {token}, HandlerErrorCode: GeneralServiceException)"
    )


def group_limits(context: WorkflowContext, *, balanced: bool) -> tuple[int, int]:
    """MinSize and MaxSize; a single instance is one."""
    if not balanced:
        return 1, 1
    least = context.number(ASG, "MinSize", 1)
    return least, max(least, context.number(ASG, "MaxSize", 4))


async def _scaling(context: WorkflowContext) -> None:
    context.fleet.create_policies(context.environment)
    await context.wait(10)
    for policy in context.environment.resources.policies:
        context.record_event(f"Created Auto Scaling group policy named: {policy}")
    for alarm in context.environment.resources.alarms:
        context.record_event(f"Created CloudWatch alarm named: {alarm}")


async def _open_address(context: WorkflowContext) -> None:
    environment = context.environment
    address = await context.call_driver(context.driver.create_load_balancer, environment.id, context.health_check())
    context.fleet.create_address(environment, address)
    environment.endpoint_url = address
    await point(context)
    context.record_event(f"Created EIP: {address}")


async def prepare_balancer(context: WorkflowContext) -> None:
    """What there is before the instances: a target group, or the whole of a classic load balancer."""
    environment, fleet = context.environment, context.fleet
    if context.balancer != "classic":
        fleet.create_target_group(environment)
        context.record_event(f"Created target group named: {environment.resources.target_group_arn}")
    group = fleet.create_security_group(environment, "AWSEBLoadBalancerSecurityGroup")
    context.record_event(f"Created security group named: {group}")
    if context.balancer == "classic":
        await open_balancer(context)


async def open_balancer(context: WorkflowContext) -> None:
    """Open the load balancer; the environment's names lead to it from then on."""
    environment, resources = context.environment, context.environment.resources
    if context.balancer == "application":
        problem = references.zones_problem(context.fleet.ec2, effective_settings(environment))
        if problem:
            reason = _by_handler(context, problem, "ElasticLoadBalancingV2")
            raise NotCreated("load balancer", "AWSEBV2LoadBalancer", reason)
    address = await context.call_driver(context.driver.create_load_balancer, environment.id, context.health_check())
    if context.balancer == "classic":
        context.fleet.create_classic_load_balancer(environment)
    else:
        port = int(address.rpartition(":")[2]) if ":" in address else 80
        context.fleet.create_load_balancer(environment, context.balancer, port)
    environment.endpoint_url = resources.load_balancer_dns
    await point(context)
    if context.balancer == "classic":
        context.record_event(f"Created load balancer named: {resources.load_balancer_name}")
        return
    await context.wait(60)
    context.record_event(f"Created load balancer named: {resources.load_balancer_arn}")
    context.record_event(f"Created Load Balancer listener named: {resources.listener_arn}")


async def point(context: WorkflowContext) -> None:
    """Let the CNAME and the endpoint's own name lead to the environment."""
    environment = context.environment
    for name in (environment.cname, environment.resources.load_balancer_dns):
        if name:
            await context.call_driver(context.driver.point, name, environment.id)


async def _first_deployment(context: WorkflowContext) -> None:
    environment = context.environment
    instances = list(environment.instances.values())
    environment.deployment_id += 1
    environment.expected_label = environment.version_label
    await register_instances(context, instances)
    report_results(context, await run_command(context, "app-deploy", instances, environment.version_label or ""))
    await checks.pass_health_checks(context, instances)


# --- the end ---


async def terminate(context: WorkflowContext) -> None:
    """From Terminating to Terminated."""
    environment, resources = context.environment, context.environment.resources
    context.record_event("terminateEnvironment is starting.")
    await context.wait_for_others()
    await context.wait(10)
    for alarm in resources.alarms:
        context.record_event(f"Deleted CloudWatch alarm named: {alarm}")
    for policy in resources.policies:
        context.record_event(f"Deleted Auto Scaling group policy named: {policy}")
    try:
        await _tear_down(context)
    except DriverError as error:
        # It stays, as EB leaves an environment whose resources cannot be deleted; another attempt may context.
        context.record_event(
            f"Deleting Auto Scaling group named: {resources.auto_scaling_group} failed Reason: {error}", "ERROR"
        )
        context.fleet.mark(environment, "DELETE_FAILED", str(error))
        context.record_event("Failed to terminate environment.", "ERROR")
        context.finish()
        return
    context.record_event(f"Deleting SNS topic for environment {environment.name}.")
    end(context)
    context.record_event("terminateEnvironment completed successfully.")


async def _tear_down(context: WorkflowContext) -> None:
    environment, resources = context.environment, context.environment.resources
    context.fleet.mark(environment, "DELETE_IN_PROGRESS", "User Initiated")
    context.record_event("Waiting for EC2 instances to terminate. This may take a few minutes.")
    if environment.tier == "WebServer":
        for name in (environment.cname, resources.load_balancer_dns):
            if name:
                await context.call_driver(context.driver.unpoint, name)
        await context.call_driver(context.driver.delete_load_balancer, environment.id)
    for instance in environment.instances.values():
        instance.registered = False
    await remove_instances(context, list(environment.instances.values()), announce=False)
    await context.wait(60)
    context.fleet.delete(environment)
    if resources.auto_scaling_group:
        context.record_event(f"Deleted Auto Scaling group named: {resources.auto_scaling_group}")
    if resources.launch:
        context.record_event(f"Deleted Auto Scaling launch configuration named: {resources.launch}")
    await databases.uncouple(context)
    for group in resources.security_group_names:
        context.record_event(f"Deleted security group named: {group}")
    if resources.load_balancer_name:
        context.record_event(
            f"Deleted load balancer named: {resources.load_balancer_arn or resources.load_balancer_name}"
        )
    if resources.target_group_arn:
        context.record_event(f"Deleted target group named: {resources.target_group_arn}")
    if resources.elastic_ip:
        context.record_event(f"Deleted EIP: {resources.elastic_ip}")
    context.fleet.mark(environment, "DELETE_COMPLETE")


def end(context: WorkflowContext) -> None:
    """The environment is Terminated; its name and CNAME are free at once."""
    environment, clock = context.environment, context.control.clock
    context.region.free(environment.cname)
    environment.status, environment.abortable, environment.operation = "Terminated", False, None
    environment.terminated_at, environment.terminated = clock.seconds(), clock.now()
    environment.updated = clock.now()
    environment.health.color, environment.health.status, environment.health.causes = "Grey", "NoData", []
    environment.instances.clear()


async def rebuild(context: WorkflowContext) -> None:
    """Delete and make anew the resources of a living environment."""
    context.record_event("rebuildEnvironment is starting.")
    await context.wait_for_others()
    try:
        await _tear_down(context)
    except DriverError as error:
        context.record_event(str(error), "ERROR")
        context.finish()
        return
    await create(context, "createEnvironment is starting.")
