"""`manage.py shop_admin`: the admin with a demo login, and a worker beside it.

For looking around on one's own machine: it listens on the loopback address only.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...worker import end_on_sigterm, stop, worker

LOGIN = "admin"


class Command(BaseCommand):
    help = "Serves the admin (login admin, password admin) and runs a worker, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *, port: int, **options: Any) -> None:
        self._make_login()
        end_on_sigterm()
        log = Path(settings.VAR) / "worker.log"
        with worker(log) as running:
            server = subprocess.Popen(
                [sys.executable, sys.argv[0], "runserver", "--noreload", f"127.0.0.1:{port}"],
                start_new_session=True,
            )
            self.stdout.write(
                f"\nOpen http://127.0.0.1:{port}/admin/ and log in as {LOGIN}, password {LOGIN}.\n"
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
