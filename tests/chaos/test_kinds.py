# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of environment comes out of a cycle as it went in: platform, single or balanced, with a domain."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.record import from_document
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from chaos.local import check_end, client, deploy, environments, localstalk, run, setting, settings

LEGACY = "64bit Amazon Linux 2018.03"
KIND = "aws:elasticbeanstalk:environment"
ZONE_OF_EB = "Z117KPS5GTRQ2G"


def chosen(aws: dict[str, str], environment: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The option settings without what Elastic Beanstalk made up for this one environment."""
    groups = client(aws, "ec2").describe_security_groups()["SecurityGroups"]
    made = [each["GroupId"] for each in groups if each["GroupName"].startswith("awseb-")]
    generated = ("awseb-", environment["EnvironmentId"], environment["EnvironmentName"], *made)
    return {key: value for key, value in settings(aws, environment).items() if not any(g in value for g in generated)}


@pytest.mark.parametrize("kind", ["SingleInstance", "LoadBalanced"])
@pytest.mark.parametrize("platform", [LEGACY, "64bit Amazon Linux 2023"])
def test_the_fresh_environment_has_the_same_settings_and_its_domain_leads_to_it(
    aws: dict[str, str], platform: str, kind: str
) -> None:
    application = f"{'old' if platform == LEGACY else 'new'}-{kind[:6].lower()}"
    options = [
        setting(KIND, "EnvironmentType", kind),
        # New accounts have launch templates only, which the legacy AMI does not ask for by itself.
        setting("aws:autoscaling:launchconfiguration", "RootVolumeType", "gp3"),
        setting("aws:elasticbeanstalk:application:environment", "GREETING", "hello"),
    ]
    first = deploy(aws, application, options=options, platform=platform)
    (before,) = environments(aws, application)
    zone = custom_domain(aws, application, before["CNAME"])
    wanted = chosen(aws, before)
    assert run(aws, application)[1]["result"] == "done"
    check_end(aws, application, first)
    (after,) = environments(aws, application)
    assert chosen(aws, after) == wanted
    assert after["SolutionStackName"] == before["SolutionStackName"]
    (record,) = records(aws, zone)
    assert record["AliasTarget"]["DNSName"].rstrip(".").lower() == after["CNAME"].lower()


def custom_domain(aws: dict[str, str], application: str, cname: str) -> str:
    """A zone whose name www is an alias of the environment's CNAME; its id."""
    route53 = client(aws, "route53")
    domain = f"{application}.example.com"
    zone = str(route53.create_hosted_zone(Name=domain, CallerReference=application)["HostedZone"]["Id"])
    target = {"HostedZoneId": ZONE_OF_EB, "DNSName": cname, "EvaluateTargetHealth": False}
    record = {"Name": f"www.{domain}", "Type": "A", "AliasTarget": target}
    changes = [{"Action": "CREATE", "ResourceRecordSet": record}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    return zone


def records(aws: dict[str, str], zone: str) -> list[dict[str, Any]]:
    found = client(aws, "route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return [one for one in found if one["Type"] == "A"]


CYCLES = 30
HASTE = {
    "poll_interval": 0.1,
    "bake_time": 0.2,
    "request_settle_time": 2.5,
    "max_decision_age": 2,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
    "drain_requests_per_minute": 1000,
}


def belongings(aws: dict[str, str]) -> dict[str, int]:
    """How many things of each kind the account has."""
    ec2 = client(aws, "ec2")
    eb = client(aws, "elasticbeanstalk")
    (application,) = eb.describe_applications(ApplicationNames=["thirty"])["Applications"]
    bucket = eb.create_storage_location()["S3Bucket"]
    stored = [one["Key"] for one in client(aws, "s3").list_objects_v2(Bucket=bucket).get("Contents", [])]
    reservations = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    return {
        "environments": len(environments(aws, "thirty")),
        "versions": len(application["Versions"]),
        "saved configurations": len(application["ConfigurationTemplates"]),
        # The log of each deployment is Elastic Beanstalk's own, and stays.
        "objects": len([key for key in stored if not key.startswith("resources/environments/logs/deployments/")]),
        "instances": sum(len(one["Instances"]) for one in reservations["Reservations"]),
        "groups": len(client(aws, "autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]),
        "load balancers": len(client(aws, "elb").describe_load_balancers()["LoadBalancerDescriptions"]),
        "newer load balancers": len(client(aws, "elbv2").describe_load_balancers()["LoadBalancers"]),
        "security groups": len(ec2.describe_security_groups()["SecurityGroups"]),
        "addresses": len(ec2.describe_addresses()["Addresses"]),
        "stacks": len(client(aws, "cloudformation").describe_stacks()["Stacks"]),
    }


def test_thirty_cycles_in_a_row_leave_what_one_leaves(tmp_path_factory: pytest.TempPathFactory) -> None:
    with localstalk(tmp_path_factory.mktemp("thirty"), "sim", 1000) as aws:
        first = deploy(aws, "thirty")

        def night() -> None:
            ended = run(aws, "thirty", *(f"{name}:{value}" for name, value in HASTE.items()))[1]
            assert ended["result"] == "done", ended["sentence"]

        night()
        after_one = belongings(aws)
        for _night in range(1, CYCLES):
            night()
        assert belongings(aws) == after_one
        assert (after_one["environments"], after_one["versions"], after_one["groups"]) == (1, 1, 1)
        check_end(aws, "thirty", first)
        bucket = client(aws, "elasticbeanstalk").create_storage_location()["S3Bucket"]
        lease = LockStore(client(aws, "s3"), bucket, "thirty", "thirty-live").read()
        record = from_document(lease.record)
        assert (record.journal, record.retired, len(record.ledger)) == (None, (), 10)
