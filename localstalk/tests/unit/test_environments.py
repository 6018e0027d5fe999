# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine, names, filters and what environments show."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
import zipfile
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError
from control_plane import PROFILE, SINGLE, STACK, Localstalk, option
from test_protocol import post, refusal

from localstalk.drivers.sim import Failure
from localstalk.elasticbeanstalk.platforms import catalogue

MUST_BE_READY = (
    "InvalidParameterValue",
    "Environment named env-one is in an invalid state for this operation. Must be Ready.",
)


def test_operations_on_an_unknown_environment(localstalk: Localstalk) -> None:
    missing = ("InvalidParameterValue", "No Environment found for EnvironmentName = 'nope'.")
    for name in ("update_environment", "terminate_environment", "restart_app_server", "rebuild_environment"):
        assert refusal(getattr(localstalk.eb, name), EnvironmentName="nope") == missing
    assert localstalk.eb.describe_environments(EnvironmentNames=["nope"])["Environments"] == []
    assert refusal(localstalk.eb.update_environment)[0] == "MissingRequiredParameter"


def busy_calls(localstalk: Localstalk) -> list[Any]:
    eb = localstalk.eb
    arn = localstalk.environment()["EnvironmentArn"]
    return [
        lambda: eb.update_environment(EnvironmentName="env-one", Description="x"),
        lambda: eb.restart_app_server(EnvironmentName="env-one"),
        lambda: eb.rebuild_environment(EnvironmentName="env-one"),
        lambda: eb.request_environment_info(EnvironmentName="env-one", InfoType="tail"),
        lambda: eb.update_tags_for_resource(ResourceArn=arn, TagsToAdd=[{"Key": "a", "Value": "b"}]),
    ]


def test_a_busy_environment_refuses(localstalk: Localstalk) -> None:
    localstalk.create()
    localstalk.eb.update_environment(EnvironmentName="env-one", Description="x")
    for call in busy_calls(localstalk):
        assert refusal(call) == MUST_BE_READY
    assert refusal(localstalk.eb.terminate_environment, EnvironmentName="env-one") == (
        "InvalidParameterValue",
        "Cannot terminate environment named env-one. It is currently pending deployment.",
    )


def test_tags_make_an_environment_busy(localstalk: Localstalk) -> None:
    localstalk.create(Tags=[{"Key": "team", "Value": "a"}])
    arn = localstalk.environment()["EnvironmentArn"]
    answer = localstalk.eb.update_tags_for_resource(
        ResourceArn=arn, TagsToAdd=[{"Key": "x", "Value": "1"}], TagsToRemove=["team"]
    )
    assert localstalk.environment()["Status"] == "Updating"
    localstalk.advance(60)
    tags = {tag["Key"]: tag["Value"] for tag in localstalk.eb.list_tags_for_resource(ResourceArn=arn)["ResourceTags"]}
    name, own = localstalk.environment()["EnvironmentName"], "elasticbeanstalk:environment-"
    assert tags == {
        "x": "1", "Name": name, f"{own}name": name, f"{own}id": localstalk.environment()["EnvironmentId"]
    }  # fmt: skip
    lines = localstalk.lines(answer["ResponseMetadata"]["RequestId"])
    assert lines[-1] == "Environment tag update completed successfully."


def test_names_are_unique_over_all_applications(localstalk: Localstalk) -> None:
    localstalk.create()
    localstalk.eb.create_application(ApplicationName="other")
    assert refusal(
        localstalk.eb.create_environment, ApplicationName="other", EnvironmentName="env-one", SolutionStackName=STACK
    ) == ("InvalidParameterValue", "Environment env-one already exists.")


def test_a_cname_is_free_again_after_termination(localstalk: Localstalk) -> None:
    available = localstalk.eb.check_dns_availability
    assert available(CNAMEPrefix="shop")["Available"] is True
    localstalk.create(CNAMEPrefix="shop")
    answer = available(CNAMEPrefix="shop")
    assert (answer["Available"], answer["FullyQualifiedCNAME"]) == (False, "shop.us-east-1.elasticbeanstalk.com")
    assert refusal(
        localstalk.eb.create_environment,
        ApplicationName="app",
        EnvironmentName="env-two",
        CNAMEPrefix="shop",
        SolutionStackName=STACK,
    ) == ("InvalidParameterValue", "DNS name (shop) is not available.")
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    assert available(CNAMEPrefix="shop")["Available"] is True


@pytest.mark.parametrize(
    ("region", "ending"),
    [
        ("us-east-1", "us-east-1.elasticbeanstalk.com"),
        ("us-gov-west-1", "us-gov-west-1.elasticbeanstalk.com"),
        ("cn-north-1", "cn-north-1.eb.amazonaws.com.cn"),
    ],
)
def test_a_cname_without_a_prefix_is_made_of_the_name(localstalk: Localstalk, region: str, ending: str) -> None:
    eb = localstalk.client("elasticbeanstalk", region)
    eb.create_application(ApplicationName="app")
    base = {"ApplicationName": "app", "SolutionStackName": STACK, "OptionSettings": [PROFILE]}
    made = eb.create_environment(EnvironmentName="Store-env", **base)
    assert re.fullmatch(rf"Store-env\.eba-[a-z0-9]{{8}}\.{re.escape(ending)}", made["CNAME"])
    chosen = eb.create_environment(EnvironmentName="store-green", CNAMEPrefix="Store-env", **base)
    assert chosen["CNAME"] == f"store-env.{ending}"
    free = eb.check_dns_availability(CNAMEPrefix="store-ENV")
    assert (free["Available"], free["FullyQualifiedCNAME"]) == (False, f"store-env.{ending}")


def test_a_cname_with_capitals_moves_and_is_found_in_lower_case(localstalk: Localstalk) -> None:
    old, new = localstalk.create("Shop-one"), localstalk.create("Shop-two")
    names = {one: localstalk.environment(name)["CNAME"] for one, name in ((old, "Shop-one"), (new, "Shop-two"))}
    localstalk.eb.swap_environment_cnames(SourceEnvironmentId=old, DestinationEnvironmentId=new)
    localstalk.advance(60)
    assert localstalk.environment("Shop-one")["CNAME"] == names[new]
    assert localstalk.driver.leads_to(names[old].lower()) == new
    assert localstalk.region.public_url(names[old].lower().partition(".us-")[0]) == f"http://{names[old].lower()}/"
    localstalk.eb.terminate_environment(EnvironmentId=new)
    localstalk.advance(600)
    assert localstalk.region.public_url(names[old]) is None


def test_create_refusals(localstalk: Localstalk) -> None:
    localstalk.version("v1")
    base = {"ApplicationName": "app", "EnvironmentName": "env-one"}
    create = localstalk.eb.create_environment
    assert refusal(create, **base) == (
        "InvalidParameterValue",
        "Unable to determine base for template pack (no solution stack)",
    )
    assert refusal(create, **base, SolutionStackName=STACK, VersionLabel="zz") == (
        "InvalidParameterValue",
        "No Application Version named 'zz' found.",
    )
    assert refusal(create, **(base | {"ApplicationName": "zz"}), SolutionStackName=STACK) == (
        "InvalidParameterValue",
        "No Application named 'zz' found.",
    )
    assert refusal(create, **base, SolutionStackName=STACK, TemplateName="t")[0] == "InvalidParameterCombination"
    assert refusal(create, **base, PlatformArn="arn:aws:nonsense")[1].startswith("Platform ARN is invalid: ")
    worker = {"Name": "Worker", "Type": "SQS/HTTP"}
    assert refusal(create, **base, SolutionStackName=STACK, Tier=worker, CNAMEPrefix="shop") == (
        "InvalidParameterValue",
        "Environment does not support a cname",
    )


def test_a_worker_has_queues_and_no_cname(localstalk: Localstalk) -> None:
    localstalk.create(Tier={"Name": "Worker", "Type": "SQS/HTTP"})
    found = localstalk.environment()
    assert (found["Status"], found["Health"], "CNAME" in found) == ("Ready", "Green", False)
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    assert [each["Name"] for each in resources["Queues"]] == ["WorkerQueue", "WorkerDeadLetterQueue"]


def test_terminated_environments_linger(localstalk: Localstalk) -> None:
    first = localstalk.create()
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    second = localstalk.create()
    shown = [
        each["EnvironmentId"]
        for each in localstalk.eb.describe_environments(EnvironmentNames=["env-one"])["Environments"]
    ]
    assert shown == [first, second]
    living = localstalk.eb.describe_environments(EnvironmentNames=["env-one"], IncludeDeleted=False)["Environments"]
    assert [each["EnvironmentId"] for each in living] == [second]
    localstalk.advance(3600)
    assert len(localstalk.eb.describe_environments(EnvironmentNames=["env-one"])["Environments"]) == 1


def test_filters_of_describe_environments(localstalk: Localstalk) -> None:
    one, two = localstalk.create("env-one"), localstalk.create("env-two", label="v2")
    describe = localstalk.eb.describe_environments

    def names(**parameters: Any) -> list[str]:
        return [each["EnvironmentName"] for each in describe(**parameters)["Environments"]]

    assert names(ApplicationName="app") == ["env-one", "env-two"]
    assert names(ApplicationName="other") == []
    assert names(VersionLabel="v2") == ["env-two"]
    assert names(EnvironmentIds=[two, "e-unknown1"]) == ["env-two"]
    assert names(EnvironmentIds=[one], EnvironmentNames=["env-two"]) == []
    page = describe(MaxRecords=1)
    assert [each["EnvironmentName"] for each in page["Environments"]] == ["env-one"]
    assert names(MaxRecords=1, NextToken=page["NextToken"]) == ["env-two"]


def test_a_launching_environment_can_be_terminated(localstalk: Localstalk) -> None:
    localstalk.version("v1")
    made = localstalk.eb.create_environment(
        ApplicationName="app",
        EnvironmentName="env-one",
        VersionLabel="v1",
        SolutionStackName=STACK,
        OptionSettings=[PROFILE],
    )
    assert (made["Status"], made["Health"]) == ("Launching", "Grey")
    assert refusal(localstalk.eb.update_environment, EnvironmentName="env-one", VersionLabel="v1") == MUST_BE_READY
    localstalk.advance(100)
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    assert localstalk.environment()["Status"] == "Terminated"
    assert localstalk.driver._instances == {}


def test_abort(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option("aws:elasticbeanstalk:command", "DeploymentPolicy", "Immutable"))
    assert refusal(localstalk.eb.abort_environment_update, EnvironmentName="env-one") == (
        "InvalidParameterValue",
        "Environment named env-one is in an invalid state for this operation. Must be pending deployment.",
    )
    localstalk.version("v2")
    localstalk.eb.update_environment(EnvironmentName="env-one", VersionLabel="v2")
    localstalk.advance(60)
    localstalk.eb.abort_environment_update(EnvironmentName="env-one")
    assert localstalk.environment()["Status"] == "Aborting"
    localstalk.advance(600)
    found = localstalk.environment()
    assert (found["Status"], found["VersionLabel"], found["Health"]) == ("Ready", "v1", "Green")
    assert len(localstalk.driver._instances) == 1


def test_restart_and_rebuild(localstalk: Localstalk) -> None:
    localstalk.create(CNAMEPrefix="shop")
    request = localstalk.eb.restart_app_server(EnvironmentName="env-one")["ResponseMetadata"]["RequestId"]
    localstalk.advance(60)
    assert localstalk.lines(request) == ["restartAppServer is starting.", "restartAppServer completed successfully."]
    before = list(localstalk.driver._instances)
    request = localstalk.eb.rebuild_environment(EnvironmentName="env-one")["ResponseMetadata"]["RequestId"]
    localstalk.advance(1200)
    assert localstalk.lines(request)[0] == "rebuildEnvironment is starting."
    assert localstalk.lines(request)[-1] == "Successfully launched environment: env-one"
    assert localstalk.environment()["Status"] == "Ready"
    assert list(localstalk.driver._instances) != before


def test_restore(localstalk: Localstalk) -> None:
    made = localstalk.create(CNAMEPrefix="shop")
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    request = localstalk.eb.rebuild_environment(EnvironmentId=made)["ResponseMetadata"]["RequestId"]
    localstalk.advance(600)
    assert localstalk.lines(request)[0] == "restoreEnvironment is starting."
    found = localstalk.environment()
    assert (found["EnvironmentId"], found["Status"], found["VersionLabel"]) == (made, "Ready", "v1")
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    localstalk.create("env-two", CNAMEPrefix="shop")
    assert refusal(localstalk.eb.rebuild_environment, EnvironmentId=made) == (
        "InvalidParameterValue",
        "Could not rebuild environment env-one because the cname is taken",
    )


@pytest.mark.parametrize(("kind", "verb"), [("tail", "tailing"), ("bundle", "bundling")])
def test_logs_are_links_that_a_plain_get_opens(localstalk: Localstalk, kind: str, verb: str) -> None:
    localstalk.create("env-one", option("aws:autoscaling:asg", "MinSize", "2"))
    request = localstalk.eb.request_environment_info(EnvironmentName="env-one", InfoType=kind)
    localstalk.advance(60)
    assert localstalk.lines(request["ResponseMetadata"]["RequestId"])[-2:] == [
        "Pulled logs for environment instances.",
        f"Successfully finished {verb} 2 log(s)",
    ]
    found = localstalk.eb.retrieve_environment_info(EnvironmentName="env-one", InfoType=kind)["EnvironmentInfo"]
    assert len({each["Ec2InstanceId"] for each in found}) == 2
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    leaders = 0
    for each in found:
        with opener.open(each["Message"]) as answer:
            content = answer.read()
        if kind == "bundle":
            content = zipfile.ZipFile(BytesIO(content)).read("var/log/eb-engine.log")
        leaders += content.count(b"Instance is Leader.")
    assert leaders == 1


def test_an_analysis_is_a_link_for_one_instance(localstalk: Localstalk) -> None:
    made = localstalk.create("env-one", option("aws:autoscaling:asg", "MinSize", "2"))
    instances = list(localstalk.region.environments[made].instances)
    for instance in instances:
        localstalk.driver.set_instance(instance, http_status=503)
    localstalk.advance(60)
    request = localstalk.eb.request_environment_info(EnvironmentName="env-one", InfoType="analyze")
    localstalk.advance(60)
    assert localstalk.lines(request["ResponseMetadata"]["RequestId"]) == [
        "requestEnvironmentInfo is starting.",
        "AI analysis request has completed.",
    ]
    (found,) = localstalk.eb.retrieve_environment_info(EnvironmentName="env-one", InfoType="analyze")["EnvironmentInfo"]
    assert found["Ec2InstanceId"] in instances
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(found["Message"]) as answer:
        text = answer.read().decode()
    assert "health Severe" in text
    assert "Cause: ELB processes are not healthy on all instances." in text
    assert "/var/log/eb-engine.log" in text


def test_an_analysis_needs_amazon_linux_2_or_newer(localstalk: Localstalk) -> None:
    localstalk.version("v1")
    old = next(each for each in catalogue("us-east-1") if each.generation == "al1")
    localstalk.eb.create_environment(
        ApplicationName="app", EnvironmentName="env-old", PlatformArn=old.arn, OptionSettings=[PROFILE, SINGLE]
    )
    localstalk.advance(600)
    with pytest.raises(ClientError, match="InfoType 'analyze' is not supported for environment env-old"):
        localstalk.eb.request_environment_info(EnvironmentName="env-old", InfoType="analyze")


def test_the_api_never_tells_the_leader(localstalk: Localstalk) -> None:
    localstalk.create("env-one", option("aws:autoscaling:asg", "MinSize", "2"))
    answers = [
        localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"]),
        localstalk.eb.describe_environment_resources(EnvironmentName="env-one"),
        localstalk.eb.describe_events(),
    ]
    assert "leader" not in str(answers).lower()


def test_resources_are_motos_objects_too(localstalk: Localstalk) -> None:
    made = localstalk.create("env-one", Tags=[{"Key": "team", "Value": "a"}])
    resources = localstalk.eb.describe_environment_resources(EnvironmentName="env-one")["EnvironmentResources"]
    ec2 = localstalk.client("ec2")
    rule = {"Name": "tag:elasticbeanstalk:environment-id", "Values": [made]}
    (reservation,) = ec2.describe_instances(Filters=[rule])["Reservations"]
    (instance,) = reservation["Instances"]
    assert [instance["InstanceId"]] == [each["Id"] for each in resources["Instances"]]
    assert instance["PrivateIpAddress"] == "10.0.0.1"
    tags = {each["Key"]: each["Value"] for each in instance["Tags"]}
    group = resources["AutoScalingGroups"][0]["Name"]
    assert (tags["Name"], tags["team"], tags["aws:autoscaling:groupName"]) == ("env-one", "a", group)
    (found,) = localstalk.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])[
        "AutoScalingGroups"
    ]
    assert [each["InstanceId"] for each in found["Instances"]] == [instance["InstanceId"]]
    arns = [each["Name"] for each in resources["LoadBalancers"]]
    assert localstalk.client("elbv2").describe_load_balancers(LoadBalancerArns=arns)["LoadBalancers"]
    localstalk.eb.terminate_environment(EnvironmentName="env-one")
    localstalk.advance(600)
    (reservation,) = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"]
    assert reservation["Instances"][0]["State"]["Name"] == "terminated"


def test_an_instance_that_stops_answering_turns_the_environment_red(localstalk: Localstalk) -> None:
    localstalk.create()
    instance = next(iter(localstalk.driver._instances))
    localstalk.driver.set_instance(instance, http_status=503)
    localstalk.advance(60)
    assert localstalk.environment()["HealthStatus"] == "Severe"
    assert localstalk.lines()[-1] == (
        "WARN Environment health has transitioned from Ok to Severe. ELB processes are not healthy on all instances."
    )
    localstalk.driver.set_instance(instance, http_status=200)
    localstalk.advance(60)
    assert localstalk.environment()["HealthStatus"] == "Ok"


def test_a_lost_instance_is_replaced(localstalk: Localstalk) -> None:
    localstalk.create()
    lost = next(iter(localstalk.driver._instances))
    localstalk.driver.set_instance(lost, running=False)
    localstalk.advance(300)
    health = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])
    (new,) = health["InstanceHealthList"]
    assert new["InstanceId"] != lost
    assert (new["HealthStatus"], new["Deployment"]["VersionLabel"]) == ("Ok", "v1")
    assert localstalk.environment()["Health"] == "Green"
    assert list(localstalk.driver._instances) == [new["InstanceId"]]


def test_an_update_waits_for_a_replacement(localstalk: Localstalk) -> None:
    localstalk.create()
    localstalk.version("v2")
    localstalk.driver.set_instance(next(iter(localstalk.driver._instances)), running=False)
    localstalk.advance(15)
    localstalk.update(VersionLabel="v2")
    (new,) = localstalk.eb.describe_instances_health(EnvironmentName="env-one", AttributeNames=["All"])[
        "InstanceHealthList"
    ]
    assert new["Deployment"]["VersionLabel"] == "v2"
    assert localstalk.environment()["VersionLabel"] == "v2"


def test_the_clone_of_the_eb_cli(localstalk: Localstalk) -> None:
    properties = "aws:elasticbeanstalk:application:environment"
    localstalk.create("env-one", option(properties, "COLOUR", "blue"))
    form = {
        "Action": "CreateEnvironment",
        "Version": "2010-12-01",
        "ApplicationName": "app",
        "EnvironmentName": "env-two",
        "VersionLabel": "v1",
        "TemplateSpecification.TemplateSource.EnvironmentName": "env-one",
    }
    status, _ = post(localstalk, urllib.parse.urlencode(form).encode())
    assert status == 200
    localstalk.advance(600)
    described = localstalk.eb.describe_configuration_settings(ApplicationName="app", EnvironmentName="env-two")
    settings = described["ConfigurationSettings"][0]["OptionSettings"]
    assert option(properties, "COLOUR", "blue") in settings


def test_our_own_defect_does_not_leave_an_environment_busy(localstalk: Localstalk) -> None:
    localstalk.create()
    localstalk.driver.failures.append(Failure(events=None))  # type: ignore[arg-type]
    lines = localstalk.lines(localstalk.update(VersionLabel="v1"))
    assert localstalk.environment()["Status"] == "Ready"
    assert lines[-1] == "FATAL localstalk failed internally; see its log."
