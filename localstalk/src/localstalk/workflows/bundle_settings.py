# SPDX-License-Identifier: GPL-3.0-or-later
"""What the configuration files of a bundle (.ebextensions) say about the environment itself."""

from __future__ import annotations

from localstalk.engine import ebextensions
from localstalk.model import bundles, options, stacks
from localstalk.model.state import Settings
from localstalk.workflows.context import WorkflowContext

_FAILED_VALIDATION = '"option_settings" in one of the configuration files failed validation. More details to follow.'


def read_bundle_settings(context: WorkflowContext, label: str) -> bool:
    """Take over ``option_settings`` of a bundle; problems become events. Whether the operation may go on."""
    version = context.region.version(context.environment.application, label)
    content = context.region.storage.read(version.bucket, version.key)
    if content is None:
        return True
    files = bundles.configuration(content, label)
    for file in files:
        if file.error:
            context.record_event(file.error, "ERROR" if file.fatal else "WARN")
    if any(file.fatal for file in files):
        return False
    settings: Settings = {}
    for namespace, name, resource, value in ebextensions.option_settings(files):
        own, bare = options.split(namespace)
        # The guide has triggers so: AWSEBCloudwatchAlarmLow.aws:autoscaling:trigger.
        option = options.qualify(bare if options.is_own(own) else namespace, name, resource)
        settings[option] = options.normalize(*option, value)
    problems = options.check_all(settings)
    if problems:
        context.record_event(_FAILED_VALIDATION, "ERROR")
        for problem in problems:
            context.record_event(problem.message, "ERROR")
        return False
    resources = ebextensions.resources(files)
    refused = stacks.problem(resources)
    if refused is not None:
        context.record_event(refused, "ERROR")
        return False
    context.environment.bundle_settings, context.environment.bundle_resources = settings, resources
    return True
