# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend of one account and region: moto's, with the operations of every topic in the place of moto's own."""

from __future__ import annotations

from collections.abc import Iterator

import moto.elasticbeanstalk as moto_service
from moto.core.base_backend import BackendDict
from moto.core.resource_tagging import TaggedResource
from moto.elasticbeanstalk.models import EBBackend

from localstalk.elasticbeanstalk.api import Answer, Params
from localstalk.elasticbeanstalk.operations import operations
from localstalk.model.control import Control
from localstalk.model.errors import ServiceError
from localstalk.model.region import Region
from localstalk.model.state import Call


class Backend(EBBackend):  # type: ignore[misc]
    """What moto asks for by account and region; the state itself is a :class:`Region`."""

    control: Control

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.region = Region(self.control, account_id, region_name)
        self.operations = operations(self.region)

    def carry_out(self, call: Call, params: Params) -> Answer | None:
        """Run one operation under the lock. Raises :class:`ServiceError`."""
        operation = self.operations.get(call.operation)
        if operation is None:
            raise ServiceError("InternalFailure", f"localstalk does not know the operation {call.operation}.", 500)
        with self.control.scheduler.lock:
            return operation(call, params)

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """For the Resource Groups Tagging API."""
        for environment in self.region.running():
            kind = "elasticbeanstalk:environment"
            yield TaggedResource(arn=environment.arn, tags=dict(environment.tags), resource_type=kind, extra={})


_installed: dict[str, BackendDict] = {}


def install(control: Control) -> None:
    """Put this control plane in the place of moto's own Elastic Beanstalk."""
    made = type("Backend", (Backend,), {"control": control, "__module__": __name__})
    _installed["now"] = BackendDict(made, "elasticbeanstalk")
    moto_service.eb_backends = _installed["now"]
    moto_service.models.eb_backends = _installed["now"]


def backends() -> BackendDict:
    """The backends of the control plane that was installed last."""
    return _installed["now"]
