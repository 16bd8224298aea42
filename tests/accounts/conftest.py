import pytest

from accounts.hashers import SmallMachineArgon2Hasher


@pytest.fixture
def hashed(monkeypatch):
    """Every password that is hashed from now on: the one work that takes a time one could measure."""
    passwords = []

    def counted(work):
        def count(self, password, *args):
            passwords.append(password)
            return work(self, password, *args)

        return count

    for name in ("encode", "verify"):
        monkeypatch.setattr(SmallMachineArgon2Hasher, name, counted(getattr(SmallMachineArgon2Hasher, name)))
    return passwords
