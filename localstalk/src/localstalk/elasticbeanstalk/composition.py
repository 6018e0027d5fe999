# SPDX-License-Identifier: GPL-3.0-or-later
"""ComposeEnvironments: the environments of a group, as their manifests (env.yaml) want them."""

from __future__ import annotations

from localstalk.elasticbeanstalk.api import Answer, Params
from localstalk.elasticbeanstalk.descriptions import describe_environment
from localstalk.elasticbeanstalk.environments import Environments
from localstalk.model import bundles, options
from localstalk.model.errors import InvalidParameterValue, ServiceError
from localstalk.model.region import Region
from localstalk.model.state import Call


class Composition:
    """The operation on several environments at once."""

    def __init__(self, region: Region, environments: Environments) -> None:
        self.region = region
        self.environments = environments

    def compose_environments(self, call: Call, params: Params) -> Answer:
        """Create or update one environment per version of a group; versions must be processed."""
        name, group, labels = params.get("ApplicationName"), params.get("GroupName"), params.get("VersionLabels")
        if not name or not labels:
            raise ServiceError("MissingRequiredParameter", "ApplicationName and VersionLabels must be specified.")
        self.region.application(name)
        plans = []
        for label in labels:
            if self.region.version(name, label).status != "PROCESSED":
                raise InvalidParameterValue(f"Application version {label} must be processed before it can be composed.")
            part = {"ApplicationName": name, "GroupName": group, "VersionLabel": label}
            plans.append((part, self.environments.new_name(part)))
        composed = []
        for part, environment_name in plans:
            existing = self.region.by_name(environment_name)
            if existing is not None:
                self.environments.update_environment(
                    call, {"EnvironmentId": existing.id, "VersionLabel": part["VersionLabel"]}
                )
                composed.append(existing)
            else:
                composed.append(self.environments.create(call, part | self._manifest_parameters(part)))
        return {"Environments": [describe_environment(each) for each in composed]}

    def _manifest_parameters(self, part: Params) -> Answer:
        version = self.region.version(part["ApplicationName"], part["VersionLabel"])
        manifest = bundles.manifest(self.region.storage.read(version.bucket, version.key) or b"")
        tier = manifest.get("EnvironmentTier") or {}
        settings = [
            options.members((str(namespace), str(name))) | {"Value": str(value)}
            for namespace, pairs in (manifest.get("OptionSettings") or {}).items()
            for name, value in (pairs or {}).items()
        ]
        found = {
            "SolutionStackName": manifest.get("SolutionStack"),
            "CNAMEPrefix": f"{manifest['CName'][:-1]}-{part['GroupName']}" if manifest.get("CName") else None,
            "Tier": {"Name": tier["Name"]} if tier.get("Name") else None,
            "OptionSettings": settings,
        }
        return {key: value for key, value in found.items() if value}
