"""pgfeed token: a signed token for the local set-up."""

from datetime import timedelta

import click

from pgfeed.instance import ROLES, Instance, signed_token


@click.command()
@click.argument("user_uid", type=click.UUID, required=False)
@click.option("--role", type=click.Choice(ROLES), default="authenticated", show_default=True)
@click.option("--days", type=click.FloatRange(min=0.0, min_open=True), default=1.0)
def token(user_uid: object | None, role: str, days: float) -> None:
    """Print a token for USER_UID, signed with the instance's secret."""
    if user_uid is None and role == "authenticated":
        raise click.UsageError("a token for authenticated needs a user: make token USER_UID=...")
    user = str(user_uid) if user_uid is not None else None
    secret = Instance.from_environment().secret
    click.echo(signed_token(secret, user, role, timedelta(days=days)))
