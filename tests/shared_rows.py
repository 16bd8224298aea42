"""Rows that all tests of a module find, for those that take long to make."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction


@contextlib.contextmanager
def kept_for_a_module(blocker: Any) -> Iterator[None]:
    """What is stored in this block stays until its end; each test works in a transaction within that of the block."""
    connection = connections["default"]
    with blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        # After each test Django closes the connection, and would end the transaction with it.
        patch.setattr(connection, "close", lambda: None)
        yield
        transaction.set_rollback(True)
