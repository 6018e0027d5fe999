# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the linter's rules: option settings."""

from __future__ import annotations

from .cases import CONFIG, PYTHON, Case, environment, options

CASES = [
    Case(
        "unknown-namespace",
        options("aws:elasticbeanstalk:comand", "Timeout: 600"),
        options("aws:elasticbeanstalk:command", "Timeout: 600"),
        3,
    ),
    Case(
        "unknown-namespace",
        options("application:environment", "A: b"),
        options("aws:elasticbeanstalk:container:python", "WSGIPath: config.wsgi"),
        3,
    ),
    Case(
        "unknown-namespace",
        options("aws:elbv2:listener:https", "Protocol: HTTPS"),
        options("aws:elbv2:listener:443", "Protocol: HTTPS"),
        3,
    ),
    Case(
        "unknown-option",
        options("aws:autoscaling:asg", "MinSzie: 1"),
        options("aws:autoscaling:asg", "MinSize: 1"),
        3,
    ),
    Case(
        "unknown-option",
        options("aws:elasticbeanstalk:environment", "InstanceType: t3.micro"),
        options("aws:elasticbeanstalk:environment:process:web", "HealthCheckPath: /health", "Port: 8080"),
        3,
    ),
    Case(
        "unknown-option",
        options("aws:elbv2:listener:443", "rules: admin"),
        options("ScheduledUp.aws:autoscaling:scheduledaction", "MinSize: 1", "Recurrence: 0 9 * * *"),
        3,
        severity="warning",
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: RollOut"),
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: RollingWithAdditionalBatch"),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:command", "Timeout: 7200"),
        options("aws:elasticbeanstalk:command", 'Timeout: "3600"'),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:xray", "XRayEnabled: 1"),
        options("aws:elasticbeanstalk:xray", "XRayEnabled: True"),
        3,
    ),
    Case(
        "option-value",
        options("aws:autoscaling:updatepolicy:rollingupdate", "PauseTime: 5 minutes"),
        options("aws:autoscaling:updatepolicy:rollingupdate", "PauseTime: PT5M", "Timeout: PT1H"),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:managedactions", "PreferredStartTime: '09:00'"),
        options("aws:elasticbeanstalk:managedactions", "PreferredStartTime: 'Tue:09:00'"),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: rolling"),
        options("aws:autoscaling:asg", 'MinSize: \'`{"Ref": "Smallest"}`\'', "MaxSize: {Ref: Largest}"),
        3,
        severity="warning",
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:application:environmentsecrets", "DB: my-secret"),
        options(
            "aws:elasticbeanstalk:application:environmentsecrets",
            "DB: arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf:password",
        ),
        3,
    ),
    Case(
        "option-combination",
        {
            ".ebextensions/01.config": options("aws:elasticbeanstalk:environment", "EnvironmentType: SingleInstance")[
                CONFIG
            ],
            ".ebextensions/02.config": options("aws:elasticbeanstalk:command", "DeploymentPolicy: Rolling")[CONFIG],
        },
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: Rolling"),
        3,
    ),
    Case(
        "option-combination",
        options("aws:autoscaling:asg", "MinSize: 5", "MaxSize: 2"),
        options("aws:autoscaling:asg", "MinSize: 2", "MaxSize: 5"),
        3,
    ),
    Case(
        "option-combination",
        options("aws:elasticbeanstalk:command", "BatchSize: 200"),
        options("aws:elasticbeanstalk:command", "BatchSize: 200", "BatchSizeType: Fixed"),
        3,
    ),
    Case(
        "option-without-namespace",
        {CONFIG: "option_settings:\n  - option_name: InstanceType\n    value: t3.micro\n"},
        {CONFIG: "option_settings:\n  - option_name: DJANGO_SETTINGS_MODULE\n    value: config.settings\n"},
        2,
        severity="error",
    ),
    Case(
        "option-without-namespace",
        {CONFIG: "option_settings:\n  - option_name: healthPath\n    value: /health\n"},
        environment("healthPath: /health"),
        2,
    ),
    Case(
        "option-without-namespace",
        {CONFIG: "option_settings:\n  MinSize: 2\n"},
        options("aws:autoscaling:asg", "MinSize: 2"),
        2,
        severity="error",
    ),
    Case("properties-too-long", environment(f"A: {'x' * 4095}"), environment(f"A: {'x' * 4094}"), 3),
    Case(
        "secret-in-property",
        environment("SECRET_KEY: 8d7f5s9d8f7"),
        environment("SECRET_KEY: '{{resolve:ssm:key:1}}'", "SECRET_FILE: /run/secret", "USE_TOKEN: 'true'", "PWD: ''"),
        3,
    ),
    Case(
        "secret-in-property",
        environment("DATABASE_URL: postgres://user:hunter2@db/blog"),
        environment("DATABASE_URL: postgres://db/blog", "API_KEY: your-key-here", "DB_PASSWORD: <password>"),
        3,
    ),
    Case(
        "secret-in-property",
        options("aws:rds:dbinstance", "DBPassword: hunter22", "DBDeletionPolicy: Snapshot"),
        options("aws:rds:dbinstance", "DBUser: ebroot", "DBDeletionPolicy: Snapshot"),
        3,
    ),
    Case(
        "rds-deletion-policy",
        options("aws:rds:dbinstance", "DBDeletionPolicy: Delete"),
        options("aws:rds:dbinstance", "DBDeletionPolicy: Retain"),
        3,
    ),
    Case(
        "retired-option",
        options("aws:elasticbeanstalk:container:python:staticfiles", "/static/: static/"),
        options("aws:elasticbeanstalk:environment:proxy:staticfiles", "/static: static"),
        3,
        PYTHON,
    ),
    Case(
        "wsgi-path",
        options("aws:elasticbeanstalk:container:python", "WSGIPath: shop/wsgi.py"),
        options("aws:elasticbeanstalk:container:python", "WSGIPath: shop.wsgi:application"),
        3,
        PYTHON,
    ),
    Case(
        "wsgi-path",
        options("aws:elasticbeanstalk:container:python", "WSGIPath: shop/wsgi.py"),
        {**options("aws:elasticbeanstalk:container:python", "WSGIPath: shop/wsgi.py"), "Procfile": "web: x\n"},
        3,
        PYTHON,
    ),
]
