"""The errors of DynamoDB's API in the words of the service ("Error handling with DynamoDB", Developer Guide)."""

from __future__ import annotations

from nearshift.localaws.errors import AwsError


def invalid(message: str) -> AwsError:
    """Return a ValidationException with exactly this message."""
    return AwsError("ValidationException", message)


def invalid_value(message: str) -> AwsError:
    """Return the ValidationException for an attribute value that DynamoDB cannot store."""
    return AwsError("ValidationException", message)


def invalid_parameters(message: str) -> AwsError:
    """Return the ValidationException that begins with the service's most frequent words."""
    return AwsError("ValidationException", f"One or more parameter values were invalid: {message}")


def unreadable(message: str) -> AwsError:
    """Return a SerializationException: the request's JSON has another shape than the API's model."""
    return AwsError("SerializationException", message)


def table_missing(name: str) -> AwsError:
    """Return ResourceNotFoundException for a table, as the operations on tables word it."""
    return AwsError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def resource_missing() -> AwsError:
    """Return ResourceNotFoundException as the operations on items word it."""
    return AwsError("ResourceNotFoundException", "Requested resource not found")


def resource_in_use(message: str) -> AwsError:
    """Return ResourceInUseException."""
    return AwsError("ResourceInUseException", message)
