"""The environment as django-environ reads it, with values taken as they are."""

import environ
from environ.fileaware_mapping import FileAwareMapping


class PlainValues(FileAwareMapping):
    r"""Values of variables, or of the files that NAME_FILE names.

    django-environ takes a value that begins with $ for the name of another variable, which a
    generated password may well do. Escaped here and unescaped there ($ as \$), it stays what it is.
    The newline that editors and `echo` put at a file's end is no part of a secret.
    """

    def __getitem__(self, key: str) -> str:
        value: str = super().__getitem__(key)
        return value.rstrip("\r\n").replace("$", r"\$")


class Environment(environ.FileAwareEnv):
    """Reads settings; each secret NAME may be given as NAME_FILE, too."""

    ENVIRON = PlainValues()

    def __init__(self) -> None:
        super().__init__()
        self.escape_proxy = True
