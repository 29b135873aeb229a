#!/usr/bin/env python
"""Django's command line, over the example project.

Set DJANGO_SETTINGS_MODULE to run it over other settings, DATABASE_URL over another database.
"""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
