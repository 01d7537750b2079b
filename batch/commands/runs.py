"""`vidprompter runs`: what the ledger beside an output says."""

from __future__ import annotations

import json
from pathlib import Path

import click

from batch.repair import repair
from batch.runs_report import failed_items, find_ledgers, run_status, status_lines


@click.group("runs", short_help="Look into the ledger of a run.")
def runs_group() -> None:
    """Look into the ledger of a run; a run that is at work can be looked at too."""


@runs_group.command("list", short_help="Outputs with a ledger under a folder.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path())
@click.option("--json", "as_json", is_flag=True, help="A JSON list on stdout.")
def list_command(folder: Path, as_json: bool) -> None:
    """List outputs with a ledger under FOLDER (default: here)."""
    found = [run_status(output) for output in find_ledgers(folder)]
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for status in found:
        counts = ", ".join(f"{number} {name}" for name, number in status["counts"].items())
        click.echo(f"{status['output']}  {counts or 'nothing yet'}")
    if not found:
        click.echo(f"no runs under {str(folder)!r}", err=True)


@runs_group.command("status", short_help="Counts and rates of one run.")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def status_command(output: Path, as_json: bool) -> None:
    """Show counts by status and by error, and the rates of the run that writes OUTPUT."""
    status = run_status(output)
    click.echo(json.dumps(status, indent=1) if as_json else "\n".join(status_lines(status)))


@runs_group.command("failed", short_help="What failed, and why.")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A JSON list on stdout.")
def failed_command(output: Path, as_json: bool) -> None:
    """List the failed items of the run that writes OUTPUT."""
    items = failed_items(output)
    if as_json:
        click.echo(json.dumps(items, indent=1))
        return
    for item in items:
        click.echo(
            f"{item['name']}  {item['error_type']}: {item['error_message']} ({item['attempts']} tries)"
        )


@runs_group.command("repair", short_help="Make a lost ledger again from the output.")
@click.argument("output", type=click.Path(path_type=Path))
def repair_command(output: Path) -> None:
    """Make the ledger of OUTPUT again from its rows, when it is damaged or gone.

    A damaged ledger is kept as .bak. Go on with the same caption command, from the same folder.
    """
    adopted, backup = repair(output)
    click.echo(f"{output}: a new ledger of {adopted} rows")
    if backup is not None:
        click.echo(f"the old ledger is kept as {backup.name!r}", err=True)
