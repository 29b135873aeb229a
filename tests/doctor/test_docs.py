"""The documentation tells of every finding, with its severity and what its fix takes."""

import re
from pathlib import Path

from durable_django.doctor import examining

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
SOURCES = "".join(
    path.read_text(encoding="utf-8") for path in Path(examining.__file__).parent.glob("*.py")
)


def test_every_finding_is_in_a_table_and_no_other():
    codes = set(re.findall(r'code="(\w+)"', SOURCES)) | set(
        re.findall(r'"(schedule_\w+)"', SOURCES)
    )
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == codes


def test_every_permission_of_a_fix_is_told():
    permissions = set(re.findall(r'"durable_django\.(\w+_\w+)"', SOURCES))
    assert permissions == set(re.findall(r"\(`(\w+)`\) \|$", PAGE, re.MULTILINE))
