#!/usr/bin/env python
"""The command line's way in; nothing but that."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] in (["demo"], ["sandbox"]):  # made-up data only, so they need no secret to start
        os.environ.setdefault("COUNTERSIGN_DEMO", "1")
    execute_from_command_line(sys.argv)
