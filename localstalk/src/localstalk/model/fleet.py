# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment's resources as moto's own objects, with EB's names and tags, so that other tools see them.

moto's EC2, Auto Scaling and load balancer modules take a second to import: only the first environment pays for that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from localstalk.model import groups, machines, schedule
from localstalk.model.control import Control
from localstalk.model.machines import Machine
from localstalk.model.state import Environment, Platform, Resources, Stack


class Fleet:
    """EC2, Auto Scaling, ELBv2 and SQS of one account and region."""

    def __init__(self, control: Control, account: str, region: str) -> None:
        self.control = control
        self.account = account
        self.region = region

    def _backend(self, service: str) -> Any:
        from moto.backends import get_backend

        return get_backend(service)[self.account][self.region]

    @property
    def ec2(self) -> Any:
        """moto's EC2."""
        return self._backend("ec2")

    def tags(self, environment: Environment) -> dict[str, str]:
        """EB's own tags on everything it makes."""
        stack = environment.resources.stack
        return {
            **environment.tags,
            **environment.own_tags,
            "aws:cloudformation:stack-id": stack.arn,
            "aws:cloudformation:stack-name": stack.name,
            "aws:cloudformation:logical-id": "AWSEBAutoScalingGroup",
        }

    def subnets(self) -> list[str]:
        """Subnets of the default VPC."""
        return [
            subnet.id
            for subnet in self._backend("ec2").describe_subnets()
            if str(subnet.default_for_az).lower() == "true"
        ]

    def zones(self) -> list[str]:
        """Availability zones of the region."""
        return [zone.name for zone in self._backend("ec2").describe_availability_zones()][:3]

    def create_security_group(self, environment: Environment, logical_id: str) -> str:
        """Make a security group; returns what EB's events call it."""
        name = f"awseb-{environment.id}-stack-{logical_id}-{self.control.suffix()}"
        ec2 = self._backend("ec2")
        vpc = ec2.get_default_vpc()
        description = "Elastic Beanstalk created security group"
        group = ec2.create_security_group(name, description, vpc_id=vpc.id, tags=self.tags(environment))
        environment.resources.security_groups[logical_id] = group.id
        shown = str(group.id) if logical_id == "AWSEBLoadBalancerSecurityGroup" else name
        environment.resources.security_group_names.append(shown)
        return shown

    def image(self, platform: Platform, architecture: str = machines.X86) -> str:
        """The id of a platform's machine image."""
        return machines.image(self._backend("ec2"), platform.generation, architecture)

    def create_launch(self, environment: Environment, machine: Machine, *, template: bool) -> None:
        """Make a launch template or, in accounts that may have one, a launch configuration."""
        resources = environment.resources
        if template:
            name = f"AWSEBEC2LaunchTemplate_{self.control.suffix()}"
            made = self._backend("ec2").create_launch_template(name, "", machine.template(), {})
            resources.launch_template = made.id
            return
        resources.launch = f"{resources.stack.name}-AWSEBAutoScalingLaunchConfiguration-{self.control.suffix()}"
        self._backend("autoscaling").create_launch_configuration(
            resources.launch, machine.image, machine.key or None, "", "", list(machine.groups), None, machine.kind,
            False, machine.profile, None, False, False, [],
        )  # fmt: skip

    def change_launch(self, environment: Environment, machine: Machine) -> None:
        """Let the group launch other machines from now on; what launches from a template goes on doing so."""
        resources, scaling = environment.resources, self._backend("autoscaling")
        if resources.launch_template:
            template = self._backend("ec2").get_launch_template(resources.launch_template)
            template.default_version_number = template.create_version(machine.template(), "").number
            return
        scaling.delete_launch_configuration(resources.launch)
        self.create_launch(environment, machine, template=False)
        group = scaling.autoscaling_groups.get(resources.auto_scaling_group)
        if group is not None:
            group.launch_configuration_name = resources.launch
            group.launch_config = scaling.launch_configurations[resources.launch]

    def create_group(self, environment: Environment, least: int, most: int, cooldown: int) -> None:
        """Make the (still empty) Auto Scaling group."""
        groups.install()
        resources, scaling = environment.resources, self._backend("autoscaling")
        resources.auto_scaling_group = f"{resources.stack.name}-AWSEBAutoScalingGroup-{self.control.suffix()}"
        tags = [
            {"Key": key, "Value": value, "PropagateAtLaunch": "true", "ResourceId": resources.auto_scaling_group}
            for key, value in self.tags(environment).items()
        ]
        template = {"LaunchTemplateId": resources.launch_template} if resources.launch_template else {}
        scaling.create_auto_scaling_group(
            resources.auto_scaling_group, self.zones(), 0, most, 0, resources.launch or None, template, None, cooldown,
            0, "EC2",
            [] if resources.load_balancer_arn or not resources.load_balancer_name else [resources.load_balancer_name],
            [resources.target_group_arn] if resources.target_group_arn else [], None, [], tags,
        )  # fmt: skip
        self.resize(environment, least, most)

    def resize(self, environment: Environment, least: int, most: int) -> None:
        """Change the limits of the group; EB itself keeps the count of instances."""
        group = self._backend("autoscaling").autoscaling_groups.get(environment.resources.auto_scaling_group)
        if group is not None:
            group.min_size, group.max_size = least, most

    def group(self, environment: Environment) -> groups.Group | None:
        """The environment's group as it is now, empty when somebody deleted it; None before it was made."""
        name = environment.resources.auto_scaling_group
        found = self._backend("autoscaling").autoscaling_groups.get(name) if name else None
        if found is None:
            return groups.Group() if name else None
        return groups.read(found)

    def schedule(self, environment: Environment, actions: Mapping[str, Mapping[str, str]]) -> None:
        """Make scheduled actions of the group, by their names and options, in place of those that EB made before."""
        resources = environment.resources
        schedule.put(self._backend("autoscaling"), resources.auto_scaling_group, f"{resources.stack.name}-", actions)

    def carry_out_schedule(self, environment: Environment, after: datetime, until: datetime) -> None:
        """Do to the group what its scheduled actions, EB's and others, had to do after one moment and until another."""
        schedule.carry_out(self._backend("autoscaling"), environment.resources.auto_scaling_group, after, until)

    def settle(self, environment: Environment) -> None:
        """Let the group reach its capacity, which it could not while its processes were suspended."""
        scaling, name = self._backend("autoscaling"), environment.resources.auto_scaling_group
        if name in scaling.autoscaling_groups:
            scaling.set_desired_capacity(name, scaling.autoscaling_groups[name].desired_capacity)

    def create_classic_load_balancer(self, environment: Environment) -> None:
        """Make a classic load balancer, which has neither target group nor ARN."""
        resources = environment.resources
        name = f"awseb-{environment.id[:3]}-AWSEBLoa-{self.control.suffix()}"
        listener = {"load_balancer_port": "80", "instance_port": "80", "protocol": "HTTP", "instance_protocol": "HTTP"}
        groups = [resources.security_groups["AWSEBLoadBalancerSecurityGroup"]]
        balancer = self._backend("elb").create_load_balancer(name, self.zones(), [listener], security_groups=groups)
        for key, value in self.tags(environment).items():
            balancer.add_tag(key, value)
        balancer.dns_name = f"{name}-{self.control.random.randrange(10**9)}.{self.region}.elb.amazonaws.com"
        resources.load_balancer_name, resources.load_balancer_dns = name, balancer.dns_name
        self._serve_group(environment)

    def _serve_group(self, environment: Environment) -> None:
        """Let a group that was there before its load balancer register its instances there."""
        resources, scaling = environment.resources, self._backend("autoscaling")
        group = scaling.autoscaling_groups.get(resources.auto_scaling_group)
        if group is None:
            return
        if not resources.target_group_arn:
            scaling.attach_load_balancers(group.name, [resources.load_balancer_name])
        elif resources.target_group_arn not in group.target_group_arns:
            scaling.attach_load_balancer_target_groups(group.name, [resources.target_group_arn])

    def create_load_balancer(self, environment: Environment, kind: str, port: int) -> None:
        """Make load balancer and listener of the second generation."""
        resources = environment.resources
        elb = self._backend("elbv2")
        protocol = "TCP" if kind == "network" else "HTTP"
        name = f"awseb-{environment.id[2:]}-{self.control.suffix(8)}"
        scheme = "network" if kind == "network" else "application"
        groups = [resources.security_groups["AWSEBLoadBalancerSecurityGroup"]] if scheme == "application" else []
        balancer = elb.create_load_balancer(
            name, groups, self.subnets(), loadbalancer_type=scheme, tags=_pairs(self.tags(environment))
        )
        balancer.activate()
        action = [{"Type": "forward", "TargetGroupArn": resources.target_group_arn}]
        listener = elb.create_listener(balancer.arn, protocol, str(port), "", None, action)
        resources.load_balancer_arn, resources.load_balancer_name = balancer.arn, name
        resources.load_balancer_dns, resources.listener_arn = balancer.dns_name, listener.arn
        self._serve_group(environment)

    def create_target_group(self, environment: Environment) -> None:
        """Make the target group of the process "default"."""
        group = self._backend("elbv2").create_target_group(
            f"awseb-AWSEB-{self.control.suffix(13)}",
            vpc_id=self._backend("ec2").get_default_vpc().id,
            protocol="HTTP",
            port="80",
            target_type="instance",
            tags=_pairs(self.tags(environment)),
        )
        environment.resources.target_group_arn = group.arn

    def create_policies(self, environment: Environment) -> None:
        """Scaling policies and alarms: names and ARNs only."""
        resources = environment.resources
        for logical_id in ("AWSEBAutoScalingScaleUpPolicy", "AWSEBAutoScalingScaleDownPolicy"):
            resources.policies.append(
                f"arn:aws:autoscaling:{self.region}:{self.account}:scalingPolicy:{self.control.uuid()}:"
                f"autoScalingGroupName/{resources.auto_scaling_group}:policyName/"
                f"{resources.stack.name}-{logical_id}-{self.control.suffix()}"
            )
        for logical_id in ("AWSEBCloudwatchAlarmHigh", "AWSEBCloudwatchAlarmLow"):
            resources.alarms.append(f"{resources.stack.name}-{logical_id}-{self.control.suffix()}")

    def create_address(self, environment: Environment, address: str) -> None:
        """Make the elastic IP of a single-instance environment; it shows the address that really answers."""
        made = self._backend("ec2").allocate_address("vpc", address.partition(":")[0])
        environment.resources.elastic_ip = address
        environment.resources.elastic_ip_allocation = made.allocation_id

    def launch(self, environment: Environment, machine: Machine) -> tuple[str, str]:
        """Make an EC2 instance; returns its id and availability zone."""
        ec2 = self._backend("ec2")
        tags = self.tags(environment) | {"aws:autoscaling:groupName": environment.resources.auto_scaling_group}
        zones = self.zones()
        zone = zones[len(environment.instances) % len(zones)]
        reservation = ec2.run_instances(
            machine.image, 1, None, [], instance_type=machine.kind, is_instance_type_default=False, placement=zone,
            security_group_ids=list(machine.groups), tags={"instance": tags}, block_device_mappings=None,
            key_name=machine.key or None,
        )  # fmt: skip
        return str(reservation.instances[0].id), zone

    def set_addresses(self, instance_id: str, address: str) -> None:
        """Show the address at which an instance really answers."""
        with contextlib.suppress(Exception):
            instance = self._backend("ec2").get_instance(instance_id)
            for interface in instance.nics.values():
                interface.private_ip_address = address
                interface.public_ip = address

    def attach(self, environment: Environment, instance_id: str) -> None:
        """Put an instance into the group."""
        scaling = self._backend("autoscaling")
        group = scaling.autoscaling_groups.get(environment.resources.auto_scaling_group)
        self._point_address(environment, instance_id)
        if group is None or any(state.instance.id == instance_id for state in group.instance_states):
            return
        # A batch of additional instances may exceed the group's limit for a while, as it does in EB.
        most, group.max_size = group.max_size, 10_000
        try:
            scaling.attach_instances(environment.resources.auto_scaling_group, [instance_id])
            # moto sets this for the instances that it launches itself, and needs it to terminate one in its group.
            self._backend("ec2").get_instance(instance_id).autoscaling_group = group
        finally:
            group.max_size = most

    def _point_address(self, environment: Environment, instance_id: str) -> None:
        """Give the elastic IP of a single-instance environment to an instance."""
        ec2, allocation = self._backend("ec2"), environment.resources.elastic_ip_allocation
        if allocation:
            instance = ec2.get_instance(instance_id)
            ec2.associate_address(instance=instance, allocation_id=allocation, reassociate=True)

    def terminate(self, environment: Environment, instance_id: str) -> None:
        """End an EC2 instance and take it out of its group."""
        scaling = self._backend("autoscaling")
        group = scaling.autoscaling_groups.get(environment.resources.auto_scaling_group)
        if group is not None and any(state.instance.id == instance_id for state in group.instance_states):
            group.instance_states = [state for state in group.instance_states if state.instance.id != instance_id]
            group.desired_capacity = len(group.instance_states)
        resources = environment.resources
        with contextlib.suppress(Exception):
            if resources.target_group_arn:
                self._backend("elbv2").deregister_targets(resources.target_group_arn, [{"Id": instance_id}])
            elif resources.load_balancer_name:
                scaling.update_attached_elbs(resources.auto_scaling_group)
        with contextlib.suppress(Exception):
            self._backend("ec2").terminate_instances([instance_id])

    def retag(self, environment: Environment, added: dict[str, str], removed: list[str]) -> None:
        """Let changed tags of the environment reach its instances."""
        ec2 = self._backend("ec2")
        ids = list(environment.instances)
        with contextlib.suppress(Exception):
            if added:
                ec2.create_tags(ids, added)
            if removed:
                ec2.delete_tags(ids, dict.fromkeys(removed))

    def create_queues(self, environment: Environment) -> None:
        """Queues of a worker environment."""
        sqs = self._backend("sqs")
        stack = environment.resources.stack.name
        for logical_id in ("AWSEBWorkerQueue", "AWSEBWorkerDeadLetterQueue"):
            queue = sqs.create_queue(f"{stack}-{logical_id}-{self.control.suffix()}", {})
            url = f"https://sqs.{self.region}.amazonaws.com/{self.account}/{queue.name}"
            if logical_id == "AWSEBWorkerQueue":
                environment.resources.queue_url = url
            else:
                environment.resources.dead_letter_queue_url = url

    def delete(self, environment: Environment) -> None:
        """Remove everything but the instances. What is gone already stays gone."""
        resources = environment.resources
        scaling, elb, ec2 = (self._backend(name) for name in ("autoscaling", "elbv2", "ec2"))
        balancers = elb if resources.load_balancer_arn else self._backend("elb")
        schedule.put(scaling, resources.auto_scaling_group, "", {})
        scaling.autoscaling_groups.pop(resources.auto_scaling_group, None)
        scaling.delete_launch_configuration(resources.launch)
        with contextlib.suppress(Exception):
            ec2.delete_launch_template(None, resources.launch_template)
        for function, argument in (
            (balancers.delete_load_balancer, resources.load_balancer_arn or resources.load_balancer_name),
            (elb.delete_target_group, resources.target_group_arn),
        ):
            with contextlib.suppress(Exception):
                function(argument)
        with contextlib.suppress(Exception):
            ec2.release_address(allocation_id=resources.elastic_ip_allocation)
        for group in reversed(resources.security_groups.values()):
            with contextlib.suppress(Exception):
                ec2.delete_security_group(group_id=group)

    def fresh(self, environment: Environment) -> None:
        """Start over with a new stack."""
        name, now = f"awseb-{environment.id}-stack", self.control.clock.now()
        arn = f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{name}/{self.control.uuid()}"
        environment.resources = Resources(stack=Stack(name, arn, now))
        self.mark(environment, "CREATE_IN_PROGRESS", "User Initiated")

    def mark(self, environment: Environment, status: str, reason: str = "") -> None:
        """Change the state of the environment's CloudFormation stack."""
        stack = environment.resources.stack
        stack.status = status
        stack.history.append((self.control.clock.now(), status, reason))


def _pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
