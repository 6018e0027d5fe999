# SPDX-License-Identifier: GPL-3.0-or-later
"""No false alarm on what AWS itself publishes: each form that awsdocs/elastic-beanstalk-samples uses, in short.

All files of that repository (commit 3303795), of seventeen applications of aws-samples for Docker, ECS, Python,
Node.js, PHP, Java and Tomcat, and the EB CLI's own, were looked at the same way, 135 bundles: no error was
found without a platform, and on Amazon Linux 2023 only what the retired Amazon Linux AMI alone has (its hooks, its
paths, its staticfiles, a WSGIPath with a file). Of 201 examples of the Developer Guide (before its content was removed
from GitHub) those with errors are outlines ("name of group"), and one with a misprint (StorageType:io1).
"""

from __future__ import annotations

import pytest

SAMPLES = {
    "cron on one instance": """\
###################################################################################################
#### Runs a job on the first instance only.
###################################################################################################
packages:
  yum:
    jq: []

files:
  "/usr/local/bin/test_cron.sh":
    mode: "000755"
    owner: root
    group: root
    content: |
      #!/bin/bash
      ASG=`aws ec2 describe-tags --filters "Name=resource-id,Values=$INSTANCE_ID" \\
          --output json | jq -r '.[][] | select(.Key=="aws:autoscaling:groupName") | .Value'`
      [ "$FIRST" = "$INSTANCE_ID" ]

  "/etc/cron.d/cron_example":
    mode: "000644"
    owner: root
    group: root
    content: |
      * * * * * root /usr/local/bin/cron_example.sh

commands:
  rm_old_cron:
    command: "rm -fr /etc/cron.d/cron_example.bak"
    ignoreErrors: true
""",
    "a file from S3 with a role": """\
Parameters:
  bucket:
    Type: CommaDelimitedList
    Default: "elasticbeanstalk-region-accountid"
  authrole:
    Type: String
    Default: "aws-elasticbeanstalk-ec2-role"

files:
  /home/ec2-user/myfile.txt:
    mode: "000777"
    owner: ec2-user
    group: ec2-user
    source: { "Ref" : "fileuri" }
    authentication: S3AccessCred

Resources:
  AWSEBAutoScalingGroup:
    Type: "AWS::AutoScaling::AutoScalingGroup"
    Metadata:
      AWS::CloudFormation::Authentication:
        S3AccessCred:
          type: "S3"
          roleName: { "Ref" : "authrole" }
          buckets: { "Ref" : "bucket" }
""",
    "references to other resources": """\
option_settings:
  aws:elasticbeanstalk:application:environment:
    AWS_REGION: '`{"Ref" : "AWS::Region"}`'
    FILE_SYSTEM_ID: '`{"Ref" : "FileSystem"}`'
    MOUNT_DIRECTORY: '/efs'
  aws:elasticbeanstalk:customoption:
    EFSVolumeName: "EB-EFS-Volume"
    VPCId: "vpc-xxxxxxxx"

Resources:
  FileSystem:
    Type: AWS::EFS::FileSystem
    Properties:
      FileSystemTags:
      - Key: Name
        Value:
          Fn::GetOptionSetting: {OptionName: EFSVolumeName, DefaultValue: "EB_EFS_Volume"}
      Encrypted:
        "Fn::GetOptionSetting": {OptionName: EFSEncrypted, DefaultValue: false}
Outputs:
  Id:
    Value: {"Ref": "FileSystem"}
""",
    "options as a list": """\
commands:
  01mkfs:
    command: "mkfs -t ext3 /dev/sdh"
  02mkdir:
    command: "mkdir /media/volume1"

option_settings:
  - namespace: aws:autoscaling:launchconfiguration
    option_name: BlockDeviceMappings
    value: /dev/sdh=:100
  - namespace: aws:autoscaling:launchconfiguration
    option_name: SecurityGroups
    value: my-security-group
  - option_name: MY_SETTING
    value: "1"
""",
    "a service, indented by four": """\
option_settings:
    aws:elasticbeanstalk:hostmanager:
        LogPublicationControl: true

services:
    sysvinit:
        publishlogs:
            enabled: true
            ensureRunning: true
            files: ["/etc/init.d/publishlogs"]

files:
    "/etc/init.d/publishlogs":
        group: "root"
        owner: "root"
        mode: "000755"
        content: |
            #! /bin/bash
            start() {
                touch $lockfile
            }
""",
    "listeners, triggers and schedules": """\
option_settings:
  aws:elbv2:listener:443:
    ListenerEnabled: 'true'
    Protocol: HTTPS
    SSLCertificateArns: arn:aws:acm:us-east-2:1234567890123:certificate/####################################
  aws:elb:listener:443:
    ListenerProtocol: HTTPS
    InstancePort: 80
    InstanceProtocol: HTTP
  aws:elb:policies:
    ConnectionDrainingEnabled: true
    Stickiness Cookie Expiration: 0
  aws:autoscaling:trigger:
    MeasureName: CPUUtilization
    Statistic: Average
    Unit: Percent
    LowerBreachScaleIncrement: -1
    BreachDuration: 5
  aws:elasticbeanstalk:healthreporting:system:
    SystemType: enhanced
    ConfigDocument: >-
      {"Version": 1, "Rules": {"Environment": {"Application": {"ApplicationRequests4xx": {"Enabled": false}}}}}
  aws:elasticbeanstalk:cloudwatch:logs:
    StreamLogs: true
    RetentionInDays: 7
""",
    "JSON": """\
{
  "option_settings": [
    {"namespace": "aws:elasticbeanstalk:container:php:phpini", "option_name": "document_root", "value": "/"}
  ],
  "container_commands": {
    "01_wait": {"command": "echo \\"hello\\"", "env": {"A": "b"}, "cwd": "/tmp", "leader_only": true}
  },
  "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "x"}}}
}
""",
    "tests, users, groups, sources": """\
packages:
  yum:
    libmemcached: []
    ruby-devel: ['2.0']
  rpm:
    epel: http://download.fedoraproject.org/pub/epel/6/i386/epel-release-6-8.noarch.rpm
groups:
  mygroup:
    gid: "45"
users:
  myuser:
    groups:
      - mygroup
    uid: "50"
    homeDir: "/tmp"
sources:
  /etc/myapp: http://s3.amazonaws.com/mybucket/myobject.tar.gz
commands:
  create_hello:
    test: "[ ! -f /tmp/hello ]"
    command: |
      touch /tmp/hello
    cwd: /home/ec2-user
    env:
      myvarname: myvarvalue
    ignoreErrors: false
  02_array:
    command: [ "echo", "hello" ]
container_commands:
  collectstatic:
    command: "django-admin.py collectstatic --noinput"
  01migrate:
    command: "source /var/app/venv/*/bin/activate && python3 manage.py migrate"
    leader_only: true
""",
}


@pytest.mark.parametrize("platform", [None, "al2023"])
@pytest.mark.parametrize("name", SAMPLES)
def test_no_alarm(lint, name: str, platform: str | None) -> None:
    files = {".ebextensions/sample.config": SAMPLES[name], "Dockerfile": "FROM a\nEXPOSE 80\n"}
    report = lint(files, platform)
    assert [str(item) for item in report.findings] == []
    assert report.files == 2
