"""What the API answers where it cannot do what is asked."""

from ninja import Field, Schema


class ProblemOut(Schema):
    """Why it did not work."""

    detail: str


class FaultOut(Schema):
    """One thing that is wrong with what was sent."""

    type: str
    loc: list[str | int] = Field(description="Where: body, its parameter, the field")
    msg: str


class InvalidOut(Schema):
    """What is wrong with what was sent."""

    detail: list[FaultOut]


# 401: not logged in. 404: logged in, without an apartment.
READ_PROBLEMS = {401: ProblemOut, 404: ProblemOut}
