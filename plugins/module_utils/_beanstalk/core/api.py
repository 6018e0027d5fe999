# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Thin calls to Elastic Beanstalk and S3: retried when throttled, paged, and translated into our errors.

Clients are passed in; nothing here waits for an operation or decides anything.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, TypeVar

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

from .clock import SystemClock
from .errors import error_code, health_unsupported, is_missing, translate_errors
from .limiter import THROTTLED, RateLimiter, given_rate
from .reading import ask_again

Client = Any
Answer = dict[str, Any]
_Function = TypeVar("_Function", bound=Callable[..., Any])

_OWN_BUCKET = re.compile(r"elasticbeanstalk-[a-z0-9-]+-(\d{12})")
HEALTH_ATTRIBUTES = ["HealthStatus", "Color", "Causes", "Deployment", "InstanceType", "LaunchedAt"]


class ThrottlingRetry(AWSRetry):  # type: ignore[misc]
    """Retries what AWS asks to be retried. Server faults are botocore's business: it has tried again already."""

    @staticmethod
    def found(response_code: str, catch_extra_error_codes: Any = None) -> bool:
        """Whether the code is one of AWS's words for "too many requests"."""
        return response_code in THROTTLED


def _call(description: str) -> Callable[[_Function], _Function]:
    """Retry inside, translate outside: what is translated is no longer known to be throttling."""

    def decorate(function: _Function) -> _Function:
        retried = ThrottlingRetry.jittered_backoff(retries=12, delay=1, max_delay=20)(function)
        return translate_errors(description)(retried)  # type: ignore[no-any-return]

    return decorate


def _question(description: str) -> Callable[[_Function], _Function]:
    """A call that changes nothing, so that it is made again when its answer breaks off."""
    return lambda function: _call(description)(ask_again(function))


# What is written on the way, and changes nothing that a user has.
_NO_CHANGES = re.compile(
    r"(Describe|List|Check|Retrieve|Request|Get|Head|Validate)[A-Z]\w*|CreateStorageLocation|SendCommand"
)


class CallCounter:
    """Counts the HTTP requests of the clients that it is attached to, by operation."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}
        self.changed = False
        """Whether a request that changes something was answered well."""

    def attach(self, client: Client, changes: bool = True) -> Client:
        """Count this client's requests from now on; those to Elastic Beanstalk keep the rate that AWS takes.

        ``changes``: whether its writes are of what the user asked for, unlike those of the lock.
        """
        self.count(client)
        if changes:
            client.meta.events.register("after-call", self._note)
        if client.meta.service_model.service_name == "elasticbeanstalk":
            RateLimiter(SystemClock(), given_rate()).attach(client)
        return client

    def count(self, client: Client) -> Client:
        """Count this client's requests from now on."""
        client.meta.events.register("before-send", self._count)
        return client

    def _count(self, event_name: str, **_kwargs: Any) -> None:
        name = event_name.rsplit(".", 1)[-1]
        self.calls[name] = self.calls.get(name, 0) + 1

    def _note(self, event_name: str, http_response: Any, **_kwargs: Any) -> None:
        name = event_name.rsplit(".", 1)[-1]
        if http_response.status_code < 300 and not _NO_CHANGES.fullmatch(name):
            self.changed = True

    @property
    def total(self) -> int:
        """All requests so far, retries included."""
        return sum(self.calls.values())


def _pages(operation: Callable[..., Answer], key: str, **params: Any) -> list[Answer]:
    found: list[Answer] = []
    while True:
        answer = operation(**params)
        found += answer.get(key, [])
        token = answer.get("NextToken")
        if not token:
            return found
        params["NextToken"] = token


@_question("describe applications")
def describe_applications(client: Client, names: Sequence[str] = ()) -> list[Answer]:
    """Applications with these names, or all; unknown names are left out."""
    return list(client.describe_applications(**({"ApplicationNames": list(names)} if names else {}))["Applications"])


@_call("create the application")
def create_application(client: Client, **params: Any) -> Answer:
    """Create an application."""
    return dict(client.create_application(**params)["Application"])


@_call("update the application")
def update_application(client: Client, name: str, description: str) -> Answer:
    """Set an application's description; "" clears it."""
    return dict(client.update_application(ApplicationName=name, Description=description)["Application"])


@_call("delete the application")
def delete_application(client: Client, name: str) -> None:
    """Delete an application that has no running environment."""
    client.delete_application(ApplicationName=name)


@_question("describe application versions")
def describe_versions(client: Client, application: str, labels: Sequence[str] = ()) -> list[Answer]:
    """Versions of an application, or those with the labels; unknown labels are left out."""
    if labels:
        answer = client.describe_application_versions(ApplicationName=application, VersionLabels=list(labels))
        return list(answer["ApplicationVersions"])
    return _pages(
        client.describe_application_versions, "ApplicationVersions", ApplicationName=application, MaxRecords=1000
    )


@_call("create the application version")
def create_version(client: Client, **params: Any) -> Answer:
    """Create an application version of a bundle that is in S3."""
    return dict(client.create_application_version(**params)["ApplicationVersion"])


@_call("update the application version")
def update_version(client: Client, application: str, label: str, description: str) -> Answer:
    """Set a version's description."""
    answer = client.update_application_version(ApplicationName=application, VersionLabel=label, Description=description)
    return dict(answer["ApplicationVersion"])


@_call("delete the application version")
def delete_version(client: Client, application: str, label: str, delete_bundle: bool) -> None:
    """Delete a version, and its bundle in S3 when asked."""
    client.delete_application_version(ApplicationName=application, VersionLabel=label, DeleteSourceBundle=delete_bundle)


@_call("find Elastic Beanstalk's bucket")
def create_storage_location(client: Client) -> str:
    """Name of the region's own Elastic Beanstalk bucket; it is created when it is not there."""
    return str(client.create_storage_location()["S3Bucket"])


@_call("upload the source bundle")
def upload_bundle(s3: Client, bucket: str, key: str, file: BinaryIO, new: bool = False) -> str:
    """Put an open file into S3, encrypted at rest; S3 refuses it when what arrives has another sha256.

    ``new``: S3 also refuses it when there is such an object already. A bucket with a name of Elastic Beanstalk's own
    has to belong to the account in its name. Returns the sha256 (base64) that S3 keeps; "" when it keeps none.
    """
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(1 << 22):
        digest.update(chunk)
    file.seek(0)
    checksum = base64.b64encode(digest.digest()).decode()
    extra = {"IfNoneMatch": "*"} if new else {}
    if own := _OWN_BUCKET.fullmatch(bucket):
        extra["ExpectedBucketOwner"] = own.group(1)
    kept = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum, "ServerSideEncryption": "AES256"}
    answer = s3.put_object(Bucket=bucket, Key=key, Body=file, **kept, **extra)
    return str(answer.get("ChecksumSHA256", ""))


@_question("look for the source bundle")
def bundle_checksum(s3: Client, bucket: str, key: str) -> str | None:
    """The sha256 (base64) that S3 keeps of an object; "" when it keeps none, None without an object."""
    try:
        found = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except s3.exceptions.ClientError as error:
        # HEAD has no body, so the code is the HTTP status.
        if error_code(error) in ("404", "NoSuchKey", "NoSuchBucket"):
            return None
        raise
    return str(found.get("ChecksumSHA256", ""))


def region_of(client: Client) -> str:
    """The region that a client asks."""
    return str(client.meta.region_name or "")


@_question("describe environments")
def describe_environments(client: Client, **filters: Any) -> list[Answer]:
    """Environments that are there now; the service would also list ones that were terminated an hour ago."""
    params = {key: value for key, value in filters.items() if value}
    found = _pages(client.describe_environments, "Environments", IncludeDeleted=False, **params)
    return [environment for environment in found if environment.get("Status") != "Terminated"]


@_question("describe recent environments")
def describe_recent_environments(client: Client, application: str, back_to: datetime) -> list[Answer]:
    """Environments of an application, with those that were terminated since a moment."""
    return _pages(
        client.describe_environments,
        "Environments",
        ApplicationName=application,
        IncludeDeleted=True,
        IncludedDeletedBackTo=back_to,
        MaxRecords=1000,
    )


@_question("describe the saved configuration")
def describe_template(client: Client, application: str, name: str) -> Answer | None:
    """A saved configuration with its option settings, or None."""
    try:
        found = client.describe_configuration_settings(ApplicationName=application, TemplateName=name)
    except client.exceptions.ClientError as error:
        if is_missing(error):
            return None
        raise
    return dict(found["ConfigurationSettings"][0]) if found["ConfigurationSettings"] else None


@_call("create the saved configuration")
def create_template(client: Client, **params: Any) -> Answer:
    """Save a configuration: that of an environment, or a platform with option settings."""
    return dict(client.create_configuration_template(**params))


@_call("update the saved configuration")
def update_template(client: Client, **params: Any) -> Answer:
    """Change description and option settings of a saved configuration."""
    return dict(client.update_configuration_template(**params))


@_call("delete the saved configuration")
def delete_template(client: Client, application: str, name: str) -> None:
    """Delete a saved configuration; environments that were made of it stay as they are."""
    client.delete_configuration_template(ApplicationName=application, TemplateName=name)


@_call("create the environment")
def create_environment(client: Client, **params: Any) -> Answer:
    """Start to create an environment."""
    return dict(client.create_environment(**params))


@_call("update the environment")
def update_environment(client: Client, environment_id: str, **params: Any) -> Answer:
    """Start to update an environment; refused unless it is Ready."""
    return dict(client.update_environment(EnvironmentId=environment_id, **params))


@_call("terminate the environment")
def terminate_environment(client: Client, environment_id: str) -> Answer:
    """Start to terminate an environment."""
    return dict(client.terminate_environment(EnvironmentId=environment_id))


@_question("describe the configuration of the environment")
def describe_settings(client: Client, application: str, environment_name: str) -> list[Answer]:
    """Option settings that are deployed now; a pending or failed draft is not what runs."""
    found = client.describe_configuration_settings(ApplicationName=application, EnvironmentName=environment_name)
    drafts = ("pending", "failed")
    for item in found["ConfigurationSettings"]:
        if item.get("DeploymentStatus") not in drafts:
            return list(item.get("OptionSettings", []))
    return []


@_question("describe the options of the environment")
def option_defaults(client: Client, options: Sequence[Mapping[str, str]], **place: Any) -> list[Answer]:
    """Definitions of options, with their default values. ``place`` names the environment or saved configuration."""
    return list(client.describe_configuration_options(Options=list(options), **place)["Options"])


@_question("list tags")
def list_tags(client: Client, arn: str) -> list[Answer]:
    """Tags of an application, version or environment."""
    return list(client.list_tags_for_resource(ResourceArn=arn).get("ResourceTags", []))


@_call("update tags")
def update_tags(client: Client, arn: str, add: Sequence[Mapping[str, str]], remove: Sequence[str]) -> Answer:
    """Set and remove tags; for an environment this starts an update."""
    params: Answer = {"ResourceArn": arn}
    if add:
        params["TagsToAdd"] = list(add)
    if remove:
        params["TagsToRemove"] = list(remove)
    return dict(client.update_tags_for_resource(**params))


@_question("describe events")
def describe_events(client: Client, since: datetime | None = None, **filters: Any) -> list[Answer]:
    """Events since a moment (that moment included), newest first."""
    params = {key: value for key, value in filters.items() if value}
    if since is not None:
        params["StartTime"] = since
    return _pages(client.describe_events, "Events", MaxRecords=1000, **params)


@_question("describe events")
def _event_page(client: Client, **params: Any) -> Answer:
    return dict(client.describe_events(MaxRecords=1000, **params))


def event_pages(client: Client, most: int, **filters: Any) -> Iterator[list[Answer]]:
    """Pages of events, newest first, at most so many; each costs a call when it is asked for."""
    params = {key: value for key, value in filters.items() if value}
    for _page in range(most):
        answer = _event_page(client, **params)
        yield list(answer.get("Events", []))
        if not answer.get("NextToken"):
            return
        params["NextToken"] = answer["NextToken"]


@_question("describe the health of the instances")
def describe_instances_health(client: Client, environment_id: str) -> list[Answer] | None:
    """Health and deployment of each instance; None when the environment has no enhanced health reporting."""
    try:
        return _pages(
            client.describe_instances_health,
            "InstanceHealthList",
            EnvironmentId=environment_id,
            AttributeNames=HEALTH_ATTRIBUTES,
        )
    except client.exceptions.ClientError as error:
        if health_unsupported(error):
            return None
        raise


@_question("describe the health of the environment")
def describe_environment_health(client: Client, environment_id: str) -> Answer:
    """Status, colour and causes; an empty answer when the environment has no enhanced health reporting."""
    try:
        return dict(client.describe_environment_health(EnvironmentId=environment_id, AttributeNames=["All"]))
    except client.exceptions.ClientError as error:
        if health_unsupported(error):
            return {}
        raise


@_question("describe the resources of the environment")
def describe_resources(client: Client, environment_id: str) -> Answer:
    """Instances, load balancers and so on of an environment; an empty answer when it is gone."""
    try:
        return dict(client.describe_environment_resources(EnvironmentId=environment_id)["EnvironmentResources"])
    except client.exceptions.ClientError as error:
        if is_missing(error):
            return {}
        raise


@_question("describe the Auto Scaling groups")
def describe_scaling_groups(scaling: Client, names: Sequence[str]) -> list[Answer]:
    """Auto Scaling groups by name; unknown ones are left out."""
    return list(scaling.describe_auto_scaling_groups(AutoScalingGroupNames=list(names))["AutoScalingGroups"])


@_call("request logs of the environment")
def request_logs(client: Client, environment_id: str, kind: str) -> Answer:
    """Ask the instances for their logs; `kind` is tail or bundle."""
    return dict(client.request_environment_info(EnvironmentId=environment_id, InfoType=kind))


@_question("retrieve logs of the environment")
def retrieve_logs(client: Client, environment_id: str, kind: str) -> list[Answer]:
    """What the instances have delivered so far."""
    answer = client.retrieve_environment_info(EnvironmentId=environment_id, InfoType=kind)
    return list(answer.get("EnvironmentInfo", []))


@_question("check the availability of the CNAME")
def cname_available(client: Client, prefix: str) -> bool:
    """Whether a CNAME prefix is free in this region."""
    return bool(client.check_dns_availability(CNAMEPrefix=prefix)["Available"])


@_question("describe the platform version")
def platform_images(client: Client, arn: str) -> list[str]:
    """Ids of the machine images that a platform version comes with."""
    found = client.describe_platform_version(PlatformArn=arn)["PlatformDescription"]
    return [str(one["ImageId"]) for one in found.get("CustomAmiList", [])]


@_question("list solution stacks")
def solution_stacks(client: Client) -> list[str]:
    """Names of the solution stacks that can be used now."""
    return list(client.list_available_solution_stacks()["SolutionStacks"])


@_question("describe the platform version")
def describe_platform(client: Client, arn: str) -> Answer:
    """One platform version."""
    return dict(client.describe_platform_version(PlatformArn=arn)["PlatformDescription"])


@_call("swap the CNAMEs")
def swap_cnames(client: Client, source_id: str, destination_id: str) -> Answer:
    """Start to exchange the CNAMEs of two environments."""
    return dict(client.swap_environment_cnames(SourceEnvironmentId=source_id, DestinationEnvironmentId=destination_id))


@_call("send the command to the instances")
def send_command(ssm: Client, instances: Sequence[str], script: str, timeout: int) -> str:
    """Start a shell script on up to 50 instances by Systems Manager; returns the command's id."""
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript",
        InstanceIds=list(instances),
        Parameters={"commands": script.split("\n"), "executionTimeout": [str(timeout)]},
    )
    return str(sent["Command"]["CommandId"])


@_question("ask for the outcome of the command")
def command_invocation(ssm: Client, command_id: str, instance_id: str) -> Answer:
    """State and output on one instance; an empty answer in the first moments, when there is none yet."""
    try:
        return dict(ssm.get_command_invocation(CommandId=command_id, InstanceId=instance_id))
    except ssm.exceptions.InvocationDoesNotExist:
        return {}


@_call("send the command to the instances")
def send_to_tagged(ssm: Client, tag: str, values: Sequence[str], script: str, timeout: int) -> str:
    """Start a shell script on all managed instances with one of up to 50 values of a tag; returns the command's id."""
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript",
        Targets=[{"Key": f"tag:{tag}", "Values": list(values)}],
        Parameters={"commands": script.split("\n"), "executionTimeout": [str(timeout)]},
        # By default, one failure keeps the script from all instances that were not reached yet.
        MaxErrors="100%",
    )
    return str(sent["Command"]["CommandId"])


@_question("ask for the state of the command")
def command_status(ssm: Client, command_id: str) -> str:
    """State of a command as a whole."""
    found = ssm.list_commands(CommandId=command_id)["Commands"]
    return str(found[0]["Status"]) if found else "Pending"


@_question("read the output of the command")
def command_outputs(ssm: Client, command_id: str) -> dict[str, str]:
    """Output by instance, of those on which the command succeeded; the service cuts each off at 2500 characters."""
    found = _pages(
        ssm.list_command_invocations, "CommandInvocations", CommandId=command_id, Details=True, MaxResults=50
    )
    return {
        item["InstanceId"]: str(plugin.get("Output", ""))
        for item in found
        if item["Status"] == "Success"
        for plugin in item.get("CommandPlugins", [])[:1]
    }


@_question("describe the EC2 instances of Elastic Beanstalk")
def describe_ec2_instances(ec2: Client, tag: str, values: Sequence[str] = ()) -> list[Answer]:
    """Running EC2 instances that have a tag of this name; with up to 200 values: those of any state that have one."""
    if values:
        filters = [{"Name": f"tag:{tag}", "Values": list(values)}]
    else:
        filters = [{"Name": "tag-key", "Values": [tag]}, {"Name": "instance-state-name", "Values": ["running"]}]
    reservations = _pages(ec2.describe_instances, "Reservations", Filters=filters, MaxResults=1000)
    return [instance for reservation in reservations for instance in reservation["Instances"]]
