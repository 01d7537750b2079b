"""`vidprompter doctor`: is this machine ready?"""

from __future__ import annotations

import json

import click

_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}


@click.command("doctor", short_help="Check this machine; say what is missing.")
@click.option(
    "--json", "as_json", is_flag=True, help="JSON on stdout: {ok, checks: [{name, state, detail, fix}]}."
)
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Check this machine, and say what is missing and how to mend it. Exits with 1 if something needed fails.

    Weights are compared with their pinned sha256 sums. No network is asked.
    """
    from batch.checkup import checkup

    checks = []
    for check in checkup():
        checks.append(check)
        if not as_json:
            mark, color = _MARKS[check.state]
            click.echo(f"{click.style(mark, fg=color)}  {check.name}: {check.detail}")
            if check.fix:
                click.echo(f"      -> {check.fix}")
    good = all(check.state != "fail" for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": good, "checks": [check.as_row() for check in checks]}, indent=1))
    ctx.exit(0 if good else 1)
