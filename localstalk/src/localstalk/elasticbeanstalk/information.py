# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources and logs of environments."""

from __future__ import annotations

from localstalk.elasticbeanstalk.api import Answer, Params
from localstalk.model.errors import InvalidParameterValue
from localstalk.model.region import Region
from localstalk.model.state import Call
from localstalk.workflows import logs
from localstalk.workflows.runner import Runner


class Information:
    """What one can ask about an environment besides its health."""

    def __init__(self, region: Region, runner: Runner) -> None:
        self.region = region
        self.runner = runner

    def describe_environment_resources(self, call: Call, params: Params) -> Answer:
        """Ids and names of what the environment is made of."""
        environment = self.region.find(params)
        resources = environment.resources
        queues = [
            {"Name": name, "URL": url}
            for name, url in (
                ("WorkerQueue", resources.queue_url),
                ("WorkerDeadLetterQueue", resources.dead_letter_queue_url),
            )
            if url
        ]
        described = {
            "EnvironmentName": environment.name,
            "AutoScalingGroups": _names(resources.auto_scaling_group),
            "Instances": [{"Id": instance_id} for instance_id in environment.instances],
            "LaunchConfigurations": _names(resources.launch),
            "LaunchTemplates": [{"Id": resources.launch_template}] if resources.launch_template else [],
            "LoadBalancers": _names(resources.load_balancer_arn or resources.load_balancer_name),
            "Triggers": _names(*resources.alarms),
            "Queues": queues,
        }
        return {"EnvironmentResources": described}

    # --- logs ---

    def request_environment_info(self, call: Call, params: Params) -> None:
        """Start to collect logs; the environment stays Ready and usable meanwhile."""
        environment = self.region.find_ready(params)
        kind = params["InfoType"]
        if kind == "analyze" and environment.platform.generation == "al1":
            # Amazon Linux 2 and 2023 only (Developer Guide, "AI-powered environment analysis"); the text is ours.
            raise InvalidParameterValue(f"InfoType '{kind}' is not supported for environment {environment.name}.")
        context = self.runner.context(environment, call)
        work = logs.analyze(context) if kind == "analyze" else logs.collect_logs(context, kind)
        self.region.control.scheduler.spawn(work, f"logs {environment.name}")

    def retrieve_environment_info(self, call: Call, params: Params) -> Answer:
        """Links to the logs collected last, one per instance."""
        environment = self.region.find(params)
        newest = {each.instance_id: each for each in environment.samples if each.kind == params["InfoType"]}
        return {
            "EnvironmentInfo": [
                {
                    "InfoType": sample.kind,
                    "Ec2InstanceId": sample.instance_id,
                    "SampleTimestamp": sample.time,
                    "Message": self.region.storage.url(call.endpoint, sample.bucket, sample.key),
                }
                for sample in newest.values()
            ]
        }


def _names(*names: str) -> list[dict[str, str]]:
    return [{"Name": name} for name in names if name]
