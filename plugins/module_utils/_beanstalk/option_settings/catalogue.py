# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration options of Elastic Beanstalk, and the values that they take.

Source: "General options for all environments" and "Platform specific options" of the AWS Elastic Beanstalk Developer
Guide (December 2022), what was added since (launch template tags, dual-stack load balancers, environment secrets, spot
allocation), and options that DescribeConfigurationOptions lists although the guide does not.

A namespace is `closed` when every option of it is known here: EB refuses any other. In the rest (environment
properties, static files, plugins, platform containers) the user or the platform chooses the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

# A check takes the value as text and returns what is wrong with it, or "".
Check = Callable[[str], str]


@dataclass(frozen=True)
class Namespace:
    """The options of one namespace by name; `closed` when there are no others."""

    options: dict[str, Check]
    closed: bool = True


def anything(_value: str) -> str:
    """Accept every value."""
    return ""


def boolean(value: str) -> str:
    """Accept true and false in any case."""
    return "" if value.lower() in ("true", "false") else "it takes true or false"


def whole(low: int, high: int) -> Check:
    """Accept whole numbers from `low` to `high`."""

    def check(value: str) -> str:
        if not re.fullmatch(r"[-+]?\d+", value):
            return "it takes a whole number"
        return "" if low <= int(value) <= high else f"it takes {low} to {high}"

    return check


CASE_ONLY = "write it as "


def one_of(*choices: str) -> Check:
    """Accept one of `choices`. A value that differs only in case gets an answer that begins with CASE_ONLY."""
    by_lower = {choice.lower(): choice for choice in choices}

    def check(value: str) -> str:
        if value in choices:
            return ""
        same = by_lower.get(value.lower())
        return CASE_ONLY + same if same else "it takes one of " + ", ".join(choices)

    return check


def matching(pattern: str, says: str) -> Check:
    """Accept what the regular expression matches as a whole; `says` describes it."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        return "" if compiled.fullmatch(value) else f"it takes {says}"

    return check


def duration(low: int, high: int) -> Check:
    """Accept ISO 8601 durations of `low` to `high` seconds, as PT10M or PT1H30M."""

    def check(value: str) -> str:
        parts = re.fullmatch(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", value)
        if not parts:
            return "it takes a duration as PT5M"
        hours, minutes, seconds = (int(part or 0) for part in parts.groups())
        return "" if low <= hours * 3600 + minutes * 60 + seconds <= high else f"it takes {low} to {high} seconds"

    return check


_PORT = whole(1, 65535)
_COUNT = whole(0, 10000)
_RETENTION = one_of(
    *[
        "1",
        "3",
        "5",
        "7",
        "14",
        "30",
        "60",
        "90",
        "120",
        "150",
        "180",
        "365",
        "400",
        "545",
        "731",
        "1096",
        "1827",
        "2192",
        "2557",
        "2922",
        "3288",
        "3653",
    ]  # as CloudWatch Logs
)
_PROCESS = {
    "DeregistrationDelay": whole(0, 3600),
    "HealthCheckInterval": whole(5, 300),
    "HealthCheckPath": anything,
    "HealthCheckTimeout": whole(1, 60),
    "HealthyThresholdCount": whole(2, 10),
    "MatcherHTTPCode": matching(r"\d{3}([-,]\d{3})*", "HTTP codes as 200,302 or 200-399"),
    "Port": _PORT,
    "Protocol": one_of("TCP", "HTTP", "HTTPS"),
    "StickinessEnabled": boolean,
    "StickinessLBCookieDuration": whole(1, 604800),
    "StickinessType": one_of("lb_cookie"),
    "UnhealthyThresholdCount": whole(2, 10),
}
_CLASSIC_LISTENER = {
    "InstancePort": _PORT,
    "InstanceProtocol": one_of("HTTP", "HTTPS", "TCP", "SSL"),
    "ListenerEnabled": boolean,
    "ListenerProtocol": one_of("HTTP", "HTTPS", "TCP", "SSL"),
    "PolicyNames": anything,
    "SSLCertificateId": anything,
}
_CLASSIC_POLICY = {
    "CookieName": anything,
    "InstancePorts": anything,
    "LoadBalancerPorts": anything,
    "ProxyProtocol": boolean,
    "PublicKey": anything,
    "PublicKeyPolicyNames": anything,
    "SSLProtocols": anything,
    "SSLReferencePolicy": anything,
    "Stickiness Cookie Expiration": whole(0, 1000000),
    "Stickiness Policy": boolean,
}
_LISTENER = {
    "DefaultProcess": anything,
    "ListenerEnabled": boolean,
    "Protocol": one_of("HTTP", "HTTPS", "TCP"),
    "Rules": anything,
    "SSLCertificateArns": anything,
    "SSLPolicy": anything,
}
_LOG_GROUP = {"DeleteOnTerminate": boolean, "RetentionInDays": _RETENTION}

_NAMESPACES: dict[str, Namespace] = {
    "aws:autoscaling:asg": Namespace(
        {
            "Availability Zones": one_of("Any", "Any 1", "Any 2", "Any 3"),
            "Cooldown": _COUNT,
            "Custom Availability Zones": anything,
            "EnableCapacityRebalancing": boolean,
            "MinSize": _COUNT,
            "MaxSize": _COUNT,
        }
    ),
    "aws:autoscaling:launchconfiguration": Namespace(
        {
            "BlockDeviceMappings": anything,
            "DisableDefaultEC2SecurityGroup": boolean,
            "DisableIMDSv1": boolean,
            "EC2KeyName": anything,
            "IamInstanceProfile": anything,
            "ImageId": anything,
            "InstanceType": anything,
            "LaunchTemplateTagPropagationEnabled": boolean,
            "MonitoringInterval": one_of("1 minute", "5 minute"),
            "RootVolumeIOPS": whole(100, 64000),
            "RootVolumeSize": whole(8, 16384),
            "RootVolumeThroughput": whole(125, 1000),
            "RootVolumeType": one_of("standard", "gp2", "gp3", "io1", "io2"),
            "SecurityGroups": anything,
            "SSHSourceRestriction": matching(
                r"\s*\w+\s*,\s*\d+\s*,\s*\d+\s*,\s*\S+\s*", "protocol, fromPort, toPort, source"
            ),
        }
    ),
    "aws:autoscaling:scheduledaction": Namespace(
        {
            "StartTime": anything,
            "EndTime": anything,
            "MaxSize": _COUNT,
            "MinSize": _COUNT,
            "DesiredCapacity": _COUNT,
            "Recurrence": matching(r"\s*(\S+\s+){4}\S+\s*", "a cron expression of five fields"),
            "Suspend": boolean,
        }
    ),
    "aws:autoscaling:trigger": Namespace(
        {
            "BreachDuration": whole(1, 600),
            "EvaluationPeriods": whole(1, 600),
            "LowerBreachScaleIncrement": matching(r"[-+]?\d+%?", "a number"),
            "LowerThreshold": matching(r"\d+(\.\d+)?", "a number"),
            "MeasureName": one_of(
                *[
                    "CPUUtilization",
                    "NetworkIn",
                    "NetworkOut",
                    "DiskWriteOps",
                    "DiskReadBytes",
                    "DiskReadOps",
                    "DiskWriteBytes",
                    "Latency",
                ],
                *["RequestCount", "HealthyHostCount", "UnhealthyHostCount", "TargetResponseTime"],
            ),
            "Period": whole(1, 600),
            "Statistic": one_of("Minimum", "Maximum", "Sum", "Average"),
            "Unit": one_of(
                *[
                    "Seconds",
                    "Percent",
                    "Bytes",
                    "Bits",
                    "Count",
                    "Bytes/Second",
                    "Bits/Second",
                    "Count/Second",
                    "None",
                ],
            ),
            "UpperBreachScaleIncrement": matching(r"[-+]?\d+%?", "a number"),
            "UpperThreshold": matching(r"\d+(\.\d+)?", "a number"),
        }
    ),
    "aws:autoscaling:updatepolicy:rollingupdate": Namespace(
        {
            "MaxBatchSize": whole(1, 10000),
            "MinInstancesInService": whole(0, 9999),
            "PauseTime": duration(0, 3600),
            "RollingUpdateEnabled": boolean,
            "RollingUpdateType": one_of("Time", "Health", "Immutable"),
            "Timeout": duration(300, 3600),
        }
    ),
    "aws:ec2:instances": Namespace(
        {
            "EnableSpot": boolean,
            "InstanceTypes": anything,
            "SpotAllocationStrategy": anything,
            "SpotFleetOnDemandAboveBasePercentage": whole(0, 100),
            "SpotFleetOnDemandBase": _COUNT,
            "SpotMaxPrice": matching(r"null|\d+(\.\d+)?", "a price in US dollars"),
            "SupportedArchitectures": matching(
                r"\s*(arm64|x86_64|i386)(\s*,\s*(arm64|x86_64|i386))*\s*", "arm64, x86_64"
            ),
        }
    ),
    "aws:ec2:vpc": Namespace(
        {
            "AssociatePublicIpAddress": boolean,
            "DBSubnets": anything,
            "ELBScheme": one_of("public", "internal"),
            "ELBSubnets": anything,
            "Subnets": anything,
            "VPCId": anything,
        }
    ),
    "aws:elasticbeanstalk:application": Namespace({"Application Healthcheck URL": anything}),
    "aws:elasticbeanstalk:application:environment": Namespace({}, closed=False),
    "aws:elasticbeanstalk:application:environmentsecrets": Namespace({}, closed=False),
    "aws:elasticbeanstalk:cloudwatch:logs": Namespace({"StreamLogs": boolean, **_LOG_GROUP}),
    "aws:elasticbeanstalk:cloudwatch:logs:health": Namespace({"HealthStreamingEnabled": boolean, **_LOG_GROUP}),
    "aws:elasticbeanstalk:command": Namespace(
        {
            "BatchSize": whole(1, 10000),
            "BatchSizeType": one_of("Percentage", "Fixed"),
            "DeploymentPolicy": one_of(
                "AllAtOnce", "Rolling", "RollingWithAdditionalBatch", "Immutable", "TrafficSplitting"
            ),
            "HealthCheckSuccessThreshold": one_of("Ok", "Warning", "Degraded", "Severe"),
            "IgnoreHealthCheck": boolean,
            "Timeout": whole(1, 3600),
        }
    ),
    "aws:elasticbeanstalk:control": Namespace(
        {"DefaultSSHPort": _PORT, "LaunchTimeout": anything, "LaunchType": anything, "RollbackLaunchOnFailure": boolean}
    ),
    "aws:elasticbeanstalk:customoption": Namespace({}, closed=False),
    "aws:elasticbeanstalk:environment": Namespace(
        {
            "EnvironmentType": one_of("SingleInstance", "LoadBalanced"),
            "ExternalExtensionsS3Bucket": anything,
            "ExternalExtensionsS3Key": anything,
            "LoadBalancerIsShared": boolean,
            "LoadBalancerType": one_of("classic", "application", "network"),
            "ServiceRole": anything,
        }
    ),
    "aws:elasticbeanstalk:environment:proxy": Namespace(
        {"GzipCompression": boolean, "ProxyServer": one_of("nginx", "apache", "apache/2.2", "none")}
    ),
    "aws:elasticbeanstalk:environment:proxy:staticfiles": Namespace({}, closed=False),
    "aws:elasticbeanstalk:healthreporting:system": Namespace(
        {
            "ConfigDocument": anything,
            "EnhancedHealthAuthEnabled": boolean,
            "HealthCheckSuccessThreshold": one_of("Ok", "Warning", "Degraded", "Severe"),
            "SystemType": one_of("basic", "enhanced"),
        }
    ),
    "aws:elasticbeanstalk:hostmanager": Namespace({"LogPublicationControl": boolean}),
    "aws:elasticbeanstalk:managedactions": Namespace(
        {
            "ManagedActionsEnabled": boolean,
            "PreferredStartTime": matching(
                r"(?i)(sun|mon|tue|wed|thu|fri|sat):([01]?\d|2[0-3]):[0-5]\d", "day:hour:minute as Tue:09:00"
            ),
            "ServiceRoleForManagedUpdates": anything,
        }
    ),
    "aws:elasticbeanstalk:managedactions:platformupdate": Namespace(
        {"InstanceRefreshEnabled": boolean, "UpdateLevel": one_of("patch", "minor")}
    ),
    "aws:elasticbeanstalk:monitoring": Namespace({"Automatically Terminate Unhealthy Instances": boolean}),
    "aws:elasticbeanstalk:sns:topics": Namespace(
        {
            "Notification Endpoint": anything,
            "Notification Protocol": one_of("http", "https", "email", "email-json", "sqs"),
            "Notification Topic ARN": anything,
            "Notification Topic Name": anything,
        }
    ),
    "aws:elasticbeanstalk:sqsd": Namespace(
        {
            "ConnectTimeout": whole(1, 60),
            "ErrorVisibilityTimeout": whole(0, 43200),
            "HttpConnections": whole(1, 100),
            "HttpPath": anything,
            "InactivityTimeout": whole(1, 36000),
            "MaxRetries": whole(1, 100),
            "MimeType": anything,
            "RetentionPeriod": whole(60, 1209600),
            "VisibilityTimeout": whole(0, 43200),
            "WorkerQueueURL": anything,
        }
    ),
    "aws:elasticbeanstalk:trafficsplitting": Namespace(
        {"EvaluationTime": whole(3, 600), "NewVersionPercent": whole(1, 100)}
    ),
    "aws:elasticbeanstalk:xray": Namespace({"XRayEnabled": boolean}),
    "aws:elb:healthcheck": Namespace(
        {
            "HealthyThreshold": whole(2, 10),
            "Interval": whole(5, 300),
            "Target": anything,
            "Timeout": whole(2, 60),
            "UnhealthyThreshold": whole(2, 10),
        }
    ),
    "aws:elb:listener": Namespace(_CLASSIC_LISTENER),
    "aws:elb:loadbalancer": Namespace(
        {
            "CrossZone": boolean,
            "LoadBalancerHTTPPort": matching("(?i)off|80", "OFF or 80"),
            "LoadBalancerHTTPSPort": matching("(?i)off|443|8443", "OFF, 443 or 8443"),
            "LoadBalancerPortProtocol": one_of("HTTP", "TCP"),
            "LoadBalancerSSLPortProtocol": one_of("HTTPS", "SSL"),
            "ManagedSecurityGroup": anything,
            "SecurityGroups": anything,
            "SSLCertificateId": anything,
        }
    ),
    "aws:elb:policies": Namespace(
        {
            "ConnectionDrainingEnabled": boolean,
            "ConnectionDrainingTimeout": whole(1, 3600),
            "ConnectionSettingIdleTimeout": whole(1, 3600),
            "LoadBalancerPorts": anything,
            "Stickiness Cookie Expiration": whole(0, 1000000),
            "Stickiness Policy": boolean,
        }
    ),
    "aws:elbv2:loadbalancer": Namespace(
        {
            "AccessLogsS3Bucket": anything,
            "AccessLogsS3Enabled": boolean,
            "AccessLogsS3Prefix": anything,
            "IdleTimeout": whole(1, 4000),
            "IpAddressType": one_of("ipv4", "dualstack"),
            "ManagedSecurityGroup": anything,
            "SecurityGroups": anything,
            "SharedLoadBalancer": anything,
        }
    ),
    "aws:rds:dbinstance": Namespace(
        {
            "DBAllocatedStorage": whole(5, 65536),
            "DBBackupRetentionPeriod": whole(0, 35),
            "DBDeletionPolicy": one_of("Delete", "Retain", "Snapshot"),
            "DBEngine": anything,
            "DBEngineVersion": anything,
            "DBInstanceClass": matching(r"db\.[a-z0-9-]+\.[a-z0-9]+", "a class as db.t3.micro"),
            "DBPassword": anything,
            "DBSnapshotIdentifier": anything,
            "DBStorageType": anything,
            "DBUser": anything,
            "HasCoupledDatabase": boolean,
            "MultiAZDatabase": boolean,
            "ReadReplicaIdentifiers": anything,
        }
    ),
}

# Namespaces that carry a name chosen by the user, or that belong to a platform.
_PATTERNS: tuple[tuple[re.Pattern[str], Namespace], ...] = tuple(
    (re.compile(pattern), namespace)
    for pattern, namespace in (
        (r"aws:autoscaling:scheduledaction:.+", _NAMESPACES["aws:autoscaling:scheduledaction"]),
        (r"aws:elasticbeanstalk:environment:process:[\w-]+", Namespace(_PROCESS)),
        (r"aws:elb:listener:\d+", Namespace(_CLASSIC_LISTENER)),
        (r"aws:elb:policies:.+", Namespace(_CLASSIC_POLICY)),
        (r"aws:elbv2:listener:(default|\d+)", Namespace(_LISTENER)),
        (
            r"aws:elbv2:listenerrule:[\w-]+",
            Namespace(
                {"HostHeaders": anything, "PathPatterns": anything, "Priority": whole(1, 1000), "Process": anything}
            ),
        ),
        (r"aws:elasticbeanstalk:container:.+", Namespace({}, closed=False)),
        (r"aws:cloudformation:template:.+", Namespace({}, closed=False)),
    )
)


def find(name: str) -> Namespace | None:
    """Return the namespace `name`, or None when EB has none of that name."""
    if name in _NAMESPACES:
        return _NAMESPACES[name]
    return next((namespace for pattern, namespace in _PATTERNS if pattern.fullmatch(name)), None)


def names() -> list[str]:
    """Return the fixed namespaces and one example of each that carries a name, for "did you mean"."""
    examples = [
        "aws:elasticbeanstalk:environment:process:default",
        "aws:elbv2:listener:default",
        "aws:elbv2:listenerrule",
    ]
    return [*_NAMESPACES, *examples]


def namespaces_of(option: str) -> list[str]:
    """Return the namespaces that have an option of this name."""
    return [name for name, namespace in _NAMESPACES.items() if option in namespace.options]
