# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks AWS everything that the playbooks read of an application, and keeps the answers as they are."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError, translate_errors
from .replacing import replaced

Client = Any
Documents = dict[str, Any]
_retried = api.ThrottlingRetry.jittered_backoff(retries=12, delay=1, max_delay=20)
_GONE = ("Terminated", "Terminating")


class _Questions:
    """Answers by service and operation; what AWS refuses is an answer, too."""

    def __init__(self, client: Callable[[str], Client]) -> None:
        self._client = functools.cache(client)
        self.answers: dict[str, list[Any]] = {}

    def ask(self, service: str, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of a service's client; {} where it is refused."""
        client = self._client(service)
        name = f"{service}.{client.meta.method_to_api_mapping[method]}"
        try:
            answer = dict(_retried(getattr(client, method))(**params))
        except client.exceptions.ClientError as error:
            self.answers.setdefault(name, []).append({"Error": error.response["Error"]})
            return {}
        answer.pop("ResponseMetadata", None)
        self.answers.setdefault(name, []).append(answer)
        return answer


@translate_errors("record what AWS answers")
def record_answers(client: Callable[[str], Client], application: str) -> Documents:
    """The answers about an application and each of its environments, by service and operation."""
    questions = _Questions(client)
    eb = "elasticbeanstalk"
    questions.ask("autoscaling", "describe_account_limits")
    questions.ask("ec2", "describe_account_attributes")
    questions.ask(eb, "describe_account_attributes")
    questions.ask(eb, "list_available_solution_stacks")
    questions.ask(eb, "describe_applications", ApplicationNames=[application])
    questions.ask(eb, "describe_application_versions", ApplicationName=application)
    questions.ask(eb, "describe_events", ApplicationName=application, MaxRecords=1000)
    there = questions.ask(eb, "describe_environments", ApplicationName=application, IncludeDeleted=False)
    for environment in there.get("Environments", []):
        if environment["Status"] not in _GONE:
            _record_environment(questions, api.region_of(client(eb)), environment)
    return questions.answers


def _record_environment(questions: _Questions, region: str, environment: Mapping[str, Any]) -> None:
    eb, one = "elasticbeanstalk", {"EnvironmentId": environment["EnvironmentId"]}
    named = {name: environment[name] for name in ("ApplicationName", "EnvironmentName")}
    prefix = environment["CNAME"].partition(f".{region}.")[0]
    questions.ask(eb, "check_dns_availability", CNAMEPrefix=prefix)
    questions.ask(eb, "list_tags_for_resource", ResourceArn=environment["EnvironmentArn"])
    questions.ask(eb, "describe_platform_version", PlatformArn=environment["PlatformArn"])
    questions.ask(eb, "describe_configuration_settings", **named)
    questions.ask(eb, "describe_configuration_options", **named)
    questions.ask(eb, "describe_environment_health", AttributeNames=["All"], **one)
    questions.ask(eb, "describe_instances_health", AttributeNames=["All"], **one)
    questions.ask(eb, "retrieve_environment_info", InfoType="tail", **one)
    resources = questions.ask(eb, "describe_environment_resources", **one).get("EnvironmentResources", {})
    if groups := [each["Name"] for each in resources.get("AutoScalingGroups", [])]:
        questions.ask("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=groups)
    if instances := [each["Id"] for each in resources.get("Instances", [])]:
        told = questions.ask("ec2", "describe_instances", InstanceIds=instances)
        questions.ask("ec2", "describe_addresses", Filters=[{"Name": "instance-id", "Values": instances}])
        running = [instance for each in told.get("Reservations", []) for instance in each["Instances"]]
        if ids := sorted({group["GroupId"] for instance in running for group in instance.get("SecurityGroups", [])}):
            questions.ask("ec2", "describe_security_groups", GroupIds=ids)


def write(folder: str, documents: Mapping[str, Any], secrets: Sequence[str]) -> list[str]:
    """Write a file for each document, readable for its owner only; the paths. Secrets and the like are replaced."""
    written = []
    for name, document in documents.items():
        path = Path(folder, f"{name}.json")
        text = json.dumps(replaced(document, secrets), indent=2, default=_text, ensure_ascii=False)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            sentence = f"The recording {path} cannot be written ({error.strerror}): name another folder."
            raise AnsibleBeanstalkError(message=sentence) from error
        written.append(str(path))
    return written


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
