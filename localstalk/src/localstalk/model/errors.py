# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as the service answers them (codes, HTTP status and texts: docs/elastic_beanstalk.md §1.2)."""

from __future__ import annotations


class ServiceError(Exception):
    """An error answer. ``code`` is the wire code, not the class name of the model."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    @property
    def type(self) -> str:
        """Whose fault it is, in AWS's words."""
        return "Sender" if self.status < 500 else "Receiver"


class InvalidParameterValue(ServiceError):  # noqa: N818 - the wire code
    """Almost every semantic failure; clients tell them apart by the text."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterValue", message)


class InvalidParameterCombination(ServiceError):  # noqa: N818 - the wire code
    """Parameters that exclude each other."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterCombination", message)


class MissingRequiredParameter(ServiceError):  # noqa: N818 - the wire code
    """None of several alternatives was given."""

    def __init__(self, message: str) -> None:
        super().__init__("MissingRequiredParameter", message)


def environment_not_found(name: str | None = None, environment_id: str | None = None) -> ServiceError:
    """No such environment, by the parameter that was used."""
    if environment_id is not None:
        return InvalidParameterValue(f"No Environment found for EnvironmentId = '{environment_id}'.")
    return InvalidParameterValue(f"No Environment found for EnvironmentName = '{name}'.")


def must_be_ready(name: str) -> ServiceError:
    """The state gate of nearly every operation that changes an environment."""
    return invalid_state(name, "Ready")


def invalid_state(name: str, wanted: str) -> ServiceError:
    """The environment is not in the state that the operation needs."""
    return InvalidParameterValue(
        f"Environment named {name} is in an invalid state for this operation. Must be {wanted}."
    )
