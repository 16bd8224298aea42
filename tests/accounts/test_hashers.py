"""What a password costs."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import check_password, make_password

from accounts.hashers import SmallMachineArgon2Hasher


def test_what_it_costs_is_written_into_the_hash():
    assert "argon2$argon2id$v=19$m=19456,t=2,p=1$" in make_password("correct horse 7")


@pytest.mark.parametrize(("password", "fits"), [("correct horse 7", True), ("wrong horse 7", False)])
def test_many_at_the_same_moment_take_turns_on_the_cores(password, fits):
    encoded = make_password("correct horse 7")
    with ThreadPoolExecutor(20) as people:
        assert set(people.map(check_password, [password] * 20, [encoded] * 20)) == {fits}
    hashing = [thread for thread in threading.enumerate() if thread.name.startswith("hashing")]
    assert 0 < len(hashing) <= (os.cpu_count() or 1)


def test_an_impossible_hash_is_refused_and_not_swallowed():
    with pytest.raises(ValueError, match="not enough values"):
        SmallMachineArgon2Hasher().verify("correct horse 7", "argon2")
