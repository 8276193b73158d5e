#!/usr/bin/env python
"""The command line's way in; nothing but that."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] in (["demo"], ["sandbox"]):  # made-up data only, so they need no secret to start
        os.environ.setdefault("COUNTERSIGN_DEMO", "1")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"{error} Settings come from the environment; docs/settings.md lists them.")
