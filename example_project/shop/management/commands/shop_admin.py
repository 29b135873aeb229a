"""`manage.py shop_admin`: the admin with demo logins, and a worker beside it.

A day lasts a minute here, so that one sees who waits for days wake up. For looking around on one's
own machine: it listens on the loopback address only.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from example_project.expenses.people import PEOPLE, make_people

from ...worker import end_on_sigterm, stop, worker
from .shop_demo import by_hand

LOGIN = "admin"


class Command(BaseCommand):
    help = "Serves the admin (login admin, password admin) and runs a worker, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--day", type=float, default=60.0, help="how many seconds a day lasts (86400: a day)"
        )

    def handle(self, *, port: int, day: float = 60.0, **options: Any) -> None:
        self._make_login()
        make_people()
        end_on_sigterm()
        log = Path(settings.VAR) / "worker.log"
        told = {"SECONDS_A_DAY": str(day), "BASE_URL": f"http://127.0.0.1:{port}"}
        with worker(log, **told) as running:
            server = subprocess.Popen(
                [sys.executable, sys.argv[0], "runserver", "--noreload", f"127.0.0.1:{port}"],
                start_new_session=True,
                env={**os.environ, **told},
            )
            self.stdout.write(
                f"\nOpen http://127.0.0.1:{port}/admin/ and log in as {LOGIN}, password {LOGIN},\n"
                f"or as one of {', '.join(PEOPLE)}, each with the name as the password.\n"
                f"A day lasts {day:g} seconds. What you can do:\n\n"
                + "".join(f"{line}\n" for line in by_hand())
                + f"\nThe mails are in {settings.VAR}/mail. "
                f"A worker runs beside it and writes into {log}. Ctrl-C stops both.\n"
            )
            self.stdout.flush()
            try:
                while server.poll() is None:
                    if running.poll() is not None:
                        raise CommandError(f"The worker ended:\n{log.read_text()[-4000:]}")
                    time.sleep(0.5)
            except KeyboardInterrupt:
                self.stdout.write("\nStopping …\n")
            finally:
                stop(server)

    def _make_login(self) -> None:
        users = get_user_model().objects
        user, _ = users.get_or_create(username=LOGIN)
        user.is_staff = user.is_superuser = True
        user.set_password(LOGIN)
        user.save()
