# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating, restoring, rebuilding and terminating environments (event texts: eb-facts §3.1-3.3, §3.7)."""

from __future__ import annotations

from localstalk.drivers.base import DriverError
from localstalk.workflows import checks, databases
from localstalk.workflows.deploy import attach
from localstalk.workflows.work import ASG, LAUNCH, Failed, NotCreated, Work

_COMPLETE_WITH_ERRORS = (
    "Create environment operation is complete, but with errors. "
    "For more information, see troubleshooting documentation."
)


async def create(work: Work, opening: str = "createEnvironment is starting.") -> None:
    """From Launching to Ready, or to Terminated when a check fails before anything was made."""
    environment = work.environment
    work.say(opening)
    work.say(f"Using {work.region.bucket} as Amazon S3 storage bucket for environment data.")
    work.region.storage.ensure_bucket(work.region.bucket)
    if not _validate(work):
        await _give_up(work)
        return
    await work.wait(3)
    work.region.assess(environment)
    try:
        await _build(work)
    except DriverError as error:
        _stack_failed(work, error)
        work.finish()
        return
    try:
        await _first_deployment(work)
    except Failed:
        work.say(_COMPLETE_WITH_ERRORS, "ERROR")
    except DriverError as error:
        work.say(str(error), "ERROR")
        work.say(_COMPLETE_WITH_ERRORS, "ERROR")
    else:
        if environment.cname:
            work.say(f"Application available at {environment.cname}.")
        work.say(f"Successfully launched environment: {environment.name}")
    environment.ready_at = environment.deployment_ended = work.control.clock.seconds()
    work.finish()


def _validate(work: Work) -> bool:
    if not work.option(LAUNCH, "IamInstanceProfile"):
        work.say("Environment must have instance profile associated with it.", "ERROR")
        return False
    label = work.environment.version_label
    return label is None or work.region.read_bundle_settings(work, label)


async def _give_up(work: Work) -> None:
    work.say("Failed to launch environment.", "ERROR")
    await work.wait(5)
    work.region.end(work.environment)


def _stack_failed(work: Work, error: DriverError) -> None:
    environment = work.environment
    if not isinstance(error, NotCreated):
        error = NotCreated("Auto Scaling group", "AWSEBAutoScalingGroup", str(error))
    reason = f"The following resource(s) failed to create: [{error.logical_id}]. "
    work.fleet.mark(environment, "CREATE_FAILED", reason)
    work.say(f"Creating {error.what} failed Reason: {error}", "ERROR")
    work.say(
        f"Stack named '{environment.resources.stack.name}' aborted operation. Current state: 'CREATE_FAILED'  "
        f"Reason: {reason}",
        "ERROR",
    )
    work.say(
        f"Launched environment: {environment.name}. However, there were issues during launch. "
        "See event log for details."
    )


async def _build(work: Work) -> None:
    environment, fleet = work.environment, work.fleet
    fleet.fresh(environment)
    balanced = bool(work.balancer)
    await work.wait(10)
    if balanced:
        await prepare_balancer(work)
    if environment.tier == "Worker":
        fleet.create_queues(environment)
        work.say(f"Created SQS queue named: {environment.resources.dead_letter_queue_url}")
        work.say(f"Created SQS queue named: {environment.resources.queue_url}")
    work.say(f"Created security group named: {fleet.create_security_group(environment, 'AWSEBSecurityGroup')}")
    least, most = group_limits(work, balanced=balanced or environment.tier == "Worker")
    fleet.create_group(
        environment,
        least,
        most,
        work.option(LAUNCH, "InstanceType") or "t3.micro",
        work.option(LAUNCH, "IamInstanceProfile"),
    )
    await work.wait(10)
    work.say(f"Created Auto Scaling launch configuration named: {environment.resources.launch}")
    await databases.couple(work)
    if environment.tier == "WebServer" and not balanced:
        await _open_address(work)
    work.say(f"Created Auto Scaling group named: {environment.resources.auto_scaling_group}")
    work.say("Waiting for EC2 instances to launch. This may take a few minutes.")
    if balanced or environment.tier == "Worker":
        await _scaling(work)
    instances = await work.launch(least)
    attach(work, instances)
    await work.wait(30)
    work.announce(instances)
    if balanced and not environment.load_balanced:
        await open_balancer(work)
    fleet.mark(environment, "CREATE_COMPLETE")


def group_limits(work: Work, *, balanced: bool) -> tuple[int, int]:
    """MinSize and MaxSize; a single instance is one."""
    if not balanced:
        return 1, 1
    least = work.number(ASG, "MinSize", 1)
    return least, max(least, work.number(ASG, "MaxSize", 4))


async def _scaling(work: Work) -> None:
    work.fleet.create_policies(work.environment)
    await work.wait(10)
    for policy in work.environment.resources.policies:
        work.say(f"Created Auto Scaling group policy named: {policy}")
    for alarm in work.environment.resources.alarms:
        work.say(f"Created CloudWatch alarm named: {alarm}")


async def _open_address(work: Work) -> None:
    environment = work.environment
    address = await work.drive(work.driver.create_load_balancer, environment.id, work.health_check())
    work.fleet.create_address(environment, address)
    environment.endpoint_url = address
    await point(work)
    work.say(f"Created EIP: {address}")


async def prepare_balancer(work: Work) -> None:
    """What there is before the instances: a target group, or the whole of a classic load balancer."""
    environment, fleet = work.environment, work.fleet
    if work.balancer != "classic":
        fleet.create_target_group(environment)
        work.say(f"Created target group named: {environment.resources.target_group_arn}")
    group = fleet.create_security_group(environment, "AWSEBLoadBalancerSecurityGroup")
    work.say(f"Created security group named: {group}")
    if work.balancer == "classic":
        await open_balancer(work)


async def open_balancer(work: Work) -> None:
    """Open the load balancer; the environment's names lead to it from then on."""
    environment, resources = work.environment, work.environment.resources
    address = await work.drive(work.driver.create_load_balancer, environment.id, work.health_check())
    if work.balancer == "classic":
        work.fleet.create_classic_load_balancer(environment)
    else:
        port = int(address.rpartition(":")[2]) if ":" in address else 80
        work.fleet.create_load_balancer(environment, work.balancer, port)
    environment.endpoint_url = resources.load_balancer_dns
    await point(work)
    if work.balancer == "classic":
        work.say(f"Created load balancer named: {resources.load_balancer_name}")
        return
    await work.wait(60)
    work.say(f"Created load balancer named: {resources.load_balancer_arn}")
    work.say(f"Created Load Balancer listener named: {resources.listener_arn}")


async def point(work: Work) -> None:
    """Let the CNAME and the endpoint's own name lead to the environment."""
    environment = work.environment
    for name in (environment.cname, environment.resources.load_balancer_dns):
        if name:
            await work.drive(work.driver.point, name, environment.id)


async def _first_deployment(work: Work) -> None:
    environment = work.environment
    instances = list(environment.instances.values())
    environment.deployment_id += 1
    environment.expected_label = environment.version_label
    await work.register(instances)
    work.report(await work.command("app-deploy", instances, environment.version_label or ""))
    await checks.pass_health_checks(work, instances)


# --- the end ---


async def terminate(work: Work) -> None:
    """From Terminating to Terminated."""
    environment, resources = work.environment, work.environment.resources
    work.say("terminateEnvironment is starting.")
    await work.alone()
    await work.wait(10)
    for alarm in resources.alarms:
        work.say(f"Deleted CloudWatch alarm named: {alarm}")
    for policy in resources.policies:
        work.say(f"Deleted Auto Scaling group policy named: {policy}")
    try:
        await _tear_down(work)
    except DriverError as error:
        # It stays, as EB leaves an environment whose resources cannot be deleted; another attempt may work.
        work.say(f"Deleting Auto Scaling group named: {resources.auto_scaling_group} failed Reason: {error}", "ERROR")
        work.fleet.mark(environment, "DELETE_FAILED", str(error))
        work.say("Failed to terminate environment.", "ERROR")
        work.finish()
        return
    work.say(f"Deleting SNS topic for environment {environment.name}.")
    work.region.end(environment)
    work.say("terminateEnvironment completed successfully.")


async def _tear_down(work: Work) -> None:
    environment, resources = work.environment, work.environment.resources
    work.fleet.mark(environment, "DELETE_IN_PROGRESS", "User Initiated")
    work.say("Waiting for EC2 instances to terminate. This may take a few minutes.")
    if environment.tier == "WebServer":
        for name in (environment.cname, resources.load_balancer_dns):
            if name:
                await work.drive(work.driver.unpoint, name)
        await work.drive(work.driver.delete_load_balancer, environment.id)
    for instance in environment.instances.values():
        instance.registered = False
    await work.remove(list(environment.instances.values()), say=False)
    await work.wait(60)
    work.fleet.delete(environment)
    if resources.auto_scaling_group:
        work.say(f"Deleted Auto Scaling group named: {resources.auto_scaling_group}")
        work.say(f"Deleted Auto Scaling launch configuration named: {resources.launch}")
    await databases.uncouple(work)
    for group in resources.security_group_names:
        work.say(f"Deleted security group named: {group}")
    if resources.load_balancer_name:
        work.say(f"Deleted load balancer named: {resources.load_balancer_arn or resources.load_balancer_name}")
    if resources.target_group_arn:
        work.say(f"Deleted target group named: {resources.target_group_arn}")
    if resources.elastic_ip:
        work.say(f"Deleted EIP: {resources.elastic_ip}")
    work.fleet.mark(environment, "DELETE_COMPLETE")


async def rebuild(work: Work) -> None:
    """Delete and make anew the resources of a living environment."""
    work.say("rebuildEnvironment is starting.")
    await work.alone()
    try:
        await _tear_down(work)
    except DriverError as error:
        work.say(str(error), "ERROR")
        work.finish()
        return
    await create(work, "createEnvironment is starting.")
