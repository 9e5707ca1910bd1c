"""`python -m chymist` is the `chymist` command."""

from chymist.cli import console

console()
