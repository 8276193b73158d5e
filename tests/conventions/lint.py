"""`python -m tests.conventions.lint`: the import contracts, in a process of their own.

The linter configures logging, and that silences every logger made before.
"""

import sys

from importlinter.cli import lint_imports

if __name__ == "__main__":
    sys.exit(lint_imports(no_cache=True))
