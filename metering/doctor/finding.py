"""What the doctor says of one thing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `remedy` is empty where it is well."""

    subject: str
    state: str
    remedy: str = ""
