"""`multiresunet`: the command line, a module a command. What is slow to import, a command imports when it runs."""

from __future__ import annotations

import signal
import sys

import typer

from multiresunet import arithmetic
from multiresunet.cli import card, data, diff, export, predict, serve, verify
from multiresunet.errors import UserError, of_the_system, print_any_sign

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(data.app, name="data")
app.command()(card.card)
app.command()(diff.diff)
app.command()(export.export)
app.command()(predict.predict)
app.command()(serve.serve)
app.command()(verify.verify)


@app.callback()
def _root(context: typer.Context) -> None:
    """MultiResUNet, measured. Examples of every command: docs/using.md, docs/data.md, docs/running.md."""
    if context.invoked_subcommand == "verify":  # it has a checkout to remove, as after Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def main() -> None:
    """Run the command line; an error that a user can fix is one line and status 1."""
    print_any_sign()
    try:
        arithmetic.use_by_default()  # before a command imports NumPy or PyTorch
        app()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if line := of_the_system(error):
            sys.exit(f"error: {line}")
        if error.filename is None:
            raise
        sys.exit(f"error: {error.filename}: {error.strerror}; see its owner, its mode and the room on the disk")
