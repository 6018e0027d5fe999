# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an option setting is called, and which names are special.

A setting is one option of one namespace; of scheduled actions there are several, so theirs have the action's name
besides. Elastic Beanstalk gives a resource name for many ordinary options, too (``AWSEBAutoScalingGroup`` for MinSize):
those tell nothing, and are left out wherever settings are compared, copied or sent.
"""

from __future__ import annotations

from typing import NamedTuple

PROPERTIES = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
SCHEDULED_ACTION = "aws:autoscaling:scheduledaction"
TEMPLATE_PARAMETERS = "aws:cloudformation:template:parameter"
DATABASE = "aws:rds:dbinstance"
LAUNCH = "aws:autoscaling:launchconfiguration"

_OWN_RESOURCE = "AWSEB"
# Environment properties that the platform sets itself and reports as if somebody had set them. Source: "Platform
# specific options" of the AWS Elastic Beanstalk Developer Guide, and an answer of a Python environment of 2025.
_OWN_PROPERTIES = {
    "python": frozenset({"PYTHONPATH"}),
    "ruby": frozenset({"BUNDLE_WITHOUT", "RACK_ENV", "RAILS_SKIP_ASSET_COMPILATION", "RAILS_SKIP_MIGRATIONS"}),
    "java": frozenset({"GRADLE_HOME", "JAVA_HOME", "JDBC_CONNECTION_STRING", "M2", "M2_HOME"}),
    "corretto": frozenset({"GRADLE_HOME", "JAVA_HOME", "JDBC_CONNECTION_STRING", "M2", "M2_HOME"}),
    "tomcat": frozenset({"JDBC_CONNECTION_STRING"}),
}


class Key(NamedTuple):
    """Which setting: ``resource`` is the name of a scheduled action, and empty for everything else."""

    namespace: str
    option: str
    resource: str = ""

    @property
    def label(self) -> str:
        """The key as one word, for diffs and records."""
        return ":".join(part for part in (self.namespace, self.resource, self.option) if part)

    @property
    def is_variable(self) -> bool:
        """Whether the application sees it as an environment variable: a plain property, or a secret by reference."""
        return self.namespace in (PROPERTIES, SECRETS)


PASSWORD = Key(DATABASE, "DBPassword")

Settings = dict[Key, "str | None"]
"""Wanted settings as texts; None means "remove it"."""


def is_hidden(key: Key) -> bool:
    """Whether values are never shown, logged or recorded, not even as a digest.

    Those are environment properties, the coupled database's password, and AWS's own template parameters, one of which
    (``EnvironmentVariables``) holds every environment property in plain text.
    """
    return key.namespace in (PROPERTIES, TEMPLATE_PARAMETERS) or key == PASSWORD


def own_resource(name: str) -> str:
    """The resource name without those that Elastic Beanstalk itself gives to ordinary options."""
    return "" if name.startswith(_OWN_RESOURCE) else name


def own_properties(platform: str) -> frozenset[str]:
    """Names of environment properties that a platform, given by any of its names, sets itself."""
    words = platform.lower()
    return frozenset().union(*(names for word, names in _OWN_PROPERTIES.items() if word in words))
