"""`python -m chymist` is the `chymist` command."""

import sys

from chymist.cli import main

sys.exit(main())
