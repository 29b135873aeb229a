# Everything a newcomer needs; it asks for a Python of at least 3.11 and make, nothing else.
# Everything is run as `.venv/bin/python -m`, so that it works in a directory with spaces in its name.

VENV ?= .venv
ORDERS ?= 300
ONLY ?=
EXECUTOR ?= threads
PORT ?= 8000
DAY ?= 60
ARGS ?=

PY = $(VENV)/bin/python
# A DATABASE_URL of the shell must not turn a test on SQLite into one on something else.
TEST = env -u DATABASE_URL

.PHONY: help venv test demo admin lint format translations bench clean

help:
	@echo "make test     the tests on SQLite and on a real PostgreSQL     (ARGS='-k word -x')"
	@echo "make demo     scenarios on real input, until all runs end (ORDERS=all, ONLY='expenses trials', EXECUTOR=django_q, DATABASE_URL=…)"
	@echo "make admin    the demo's admin, with demo logins and a worker (PORT=8000, DAY=60: seconds)"
	@echo "make lint     formatting, style, types, layers, migrations"
	@echo "make format   what can be put right by itself"
	@echo "make translations   takes the texts of the sources into all catalogues (needs GNU gettext)"
	@echo "make bench    the benchmarks                                   (ARGS='--help')"
	@echo "make clean    removes what these made"

venv:
	@sh .ci/venv $(VENV)

test: venv
	@sh .ci/both $(PY) $(ARGS)

demo: venv
	@$(PY) manage.py migrate --verbosity 0
	@EXECUTOR=$(EXECUTOR) $(PY) manage.py shop_demo --orders "$(ORDERS)" --only $(ONLY)

admin: venv
	@$(PY) manage.py migrate --verbosity 0
	@EXECUTOR=$(EXECUTOR) $(PY) manage.py shop_admin --port "$(PORT)" --day "$(DAY)"

lint: venv
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(TEST) $(PY) manage.py makemigrations --check --dry-run
	$(TEST) $(PY) manage.py check --fail-level WARNING

format: venv
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# makemessages and compilemessages work on the directory they are called in.
translations: venv
	@command -v msgmerge >/dev/null || { \
		echo "This needs GNU gettext. On Debian and Ubuntu: apt install gettext" >&2; exit 1; }
	@python=$$($(PY) -c 'import sys; print(sys.executable)') && cd durable_django && \
		"$$python" -m django makemessages --all --no-wrap --no-obsolete --add-location file && \
		"$$python" -m django compilemessages

bench: venv
	@$(PY) -m benchmarks $(ARGS)

clean:
	rm -rf .venv .venv-newest build dist *.egg-info example_project/var
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
