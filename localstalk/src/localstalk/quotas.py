# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas of an account in a region. A module of its own, so that the command line need not import the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

QUOTAS = {
    "Application": 75,
    "ApplicationVersion": 1000,
    "Environment": 200,
    "ConfigurationTemplate": 2000,
    "CustomPlatform": 50,
}
"""AWS's defaults (docs/elastic_beanstalk.md §9; all but the versions' are recalled)."""

_CPUS = "L-1216C47A"
_CPUS_OF_AN_ENVIRONMENT = 4  # two t3.micro


def answer_quota(environments: Callable[[], int]) -> None:
    """Have moto's Service Quotas know the vCPUs of On-Demand standard instances, which it lacks.

    A new account has 5 and an older one what it was raised to; here as many environments fit as Elastic Beanstalk's own
    quota, ``environments``, allows.
    """
    from moto.servicequotas.models import ServiceQuotasBackend

    ask: Callable[[Any, str, str], dict[str, Any]] = ServiceQuotasBackend.get_service_quota
    if ask.__module__ == __name__:
        return

    def get_service_quota(self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
        if (service_code, quota_code) != ("ec2", _CPUS):
            return ask(self, service_code, quota_code)
        place = f"{self.region_name}:{self.account_id}"
        return {
            "ServiceCode": "ec2",
            "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
            "QuotaArn": f"arn:{self.partition}:servicequotas:{place}:ec2/{_CPUS}",
            "QuotaCode": _CPUS,
            "QuotaName": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
            "Value": float(_CPUS_OF_AN_ENVIRONMENT * environments()),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }

    ServiceQuotasBackend.get_service_quota = get_service_quota
