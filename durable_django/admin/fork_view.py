"""What a page shows of a fork and its members, in the place of the steps that forked and joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

from django.http import QueryDict
from django.urls import reverse
from django.utils.formats import number_format

from ..engine import values
from ..engine.paths import fork_of, node_name
from ..models import Execution, ExecutionStatus, StepRun
from ..showing import spoken
from ..showing.keys import keys_of_item, keys_of_member
from . import badges
from .members import HELD_BACK, Fork, Member
from .shown import Entry, ErrorView, Shown, ValueView
from .step_view import EVERY_LINE, LogFilter, LogView, StepView, Window, log_views, step_view

# So many members are shown at once, in a fork that completed, too.
UNFOLDED_MAX: Final = 8
# On the line of a member, in characters.
ITEM_LENGTH_MAX, OUTPUT_LENGTH_MAX = 60, 120

ORDER: Final = (
    *("completed", "failed", "running", "sleeping", "waiting", "paused", "pending", HELD_BACK),
    "cancelled",
)


class Choice(NamedTuple):
    """A link that shows the members of one status, or all of them (no status)."""

    label: str
    address: str
    is_current: bool


@dataclass(frozen=True)
class MemberView:
    """A member, ready to be shown. ``says`` is the beginning of its output or its error."""

    anchor: str
    name: str
    badge: str
    tone: str
    item_brief: str
    output_brief: str
    says: str
    is_winner: bool
    attempts: int
    offset: str
    length: str
    bar: tuple[str, str] | None
    address: str
    item: ValueView | None
    output: ValueView | None
    error: ErrorView | None
    steps: list[Line]
    earlier: int
    is_open: bool


@dataclass(frozen=True)
class ForkView:
    """A fork, ready to be shown, as one line among those of the steps."""

    anchor: str
    place: str
    visit: str
    kind: str
    badge: str
    tone: str
    offset: str
    length: str
    bar: tuple[str, str]
    counts: list[str]
    total: str
    retries: int
    error: ErrorView | None
    changes: list[Entry]
    logs: list[LogView]
    members: list[MemberView]
    shown: str
    in_order: bool
    choices: list[Choice] = field(default_factory=list)
    all_address: str = ""
    earlier_address: str = ""
    later_address: str = ""
    first: str = ""
    last: str = ""
    of: str = ""
    is_open: bool = False
    is_fork: ClassVar[bool] = True


Line = StepView | ForkView


class Links:
    """Addresses within the page of one execution, and of those of its strands."""

    def __init__(self, owner: Execution, query: QueryDict, site: str) -> None:
        self.owner_id = owner.pk
        self.query = query
        self.site = site

    def page_of(self, pk: UUID) -> str:
        """The page of a run or a strand."""
        name = "admin:durable_django_execution_change"
        return reverse(name, args=[pk], current_app=self.site)

    def change(self, seq: int) -> str:
        """What the step run ``seq`` did to the context as a whole."""
        return f"?tab=context&from={seq - 1}&to={seq}#durable-difference"

    def members(self, fork: Fork, status: str = "", page: int = 1) -> str:
        """The page that ``fork`` is on, looking at its members more closely."""
        query = QueryDict("tab=steps", mutable=True)
        mine = fork.owner.pk == self.owner_id
        if mine:
            kept = ("steps", "whole", "_changelist_filters")
            query.update({name: str(self.query[name]) for name in kept if name in self.query})
        query["fork"] = str(fork.opening.seq)
        if status:
            query["status"] = status
        if page > 1:
            query["members"] = str(page)
        address = "" if mine else self.page_of(fork.owner.pk)
        return f"{address}?{query.urlencode()}#step-{fork.opening.seq}"


class Lines:
    """Makes the lines of a page: of its steps, and of the forks among them with what is in them.

    ``sources`` says for each foreach where its items come from, whose mask then holds for them.
    """

    def __init__(
        self,
        shown: Shown,
        window: Window,
        links: Links,
        sources: Mapping[str, str],
        logs: LogFilter = EVERY_LINE,
    ) -> None:
        self.shown = shown
        self.window = window
        self.links = links
        self.sources = sources
        self.logs = logs

    def of(
        self, rows: Sequence[StepRun], forks: Mapping[int, Fork], inside: str = ""
    ) -> list[Line]:
        """A line for each of ``rows``, in their order; ``inside`` is the beginning of their paths
        that the lines around them tell already."""
        lines: list[Line] = []
        few = len(forks) <= UNFOLDED_MAX
        for row in rows:
            fork = forks.get(row.seq)
            if fork is not None:
                lines.append(self._fork(fork, inside, few))
                continue
            is_last = row is rows[-1]
            view = step_view(row, self.shown, self.window, is_last=is_last, logs=self.logs)
            if view.changes and not inside and row.execution_id == self.links.owner_id:
                view = replace(view, change_address=self.links.change(row.seq))
            if inside:
                view = replace(view, anchor="", place=view.place.removeprefix(inside))
            lines.append(view)
        return lines

    def _fork(self, fork: Fork, inside: str, few: bool) -> ForkView:
        opening, join = fork.opening, fork.joins[-1] if fork.joins else None
        blocks, slash, visit = opening.path.rpartition("/")
        end = self.window.now
        if not fork.is_live:
            end = (join.finished_at if join else fork.owner.finished_at) or end
        joined = [opening, *fork.joins]
        members = [self._member(member, fork) for member in fork.members]
        small = few and len(fork.results) <= UNFOLDED_MAX
        told = join if join is not None and not fork.is_live else None
        return ForkView(
            anchor="" if inside else f"step-{opening.seq}",
            place=f"{blocks}{slash}".removeprefix(inside),
            visit=visit,
            kind=opening.kind,
            badge=badges.badge(fork.status, badges.status_label(fork.status)),
            tone=badges.LOOKS[fork.status].tone if fork.status in badges.LOOKS else "calm",
            offset=self.window.offset(opening.started_at),
            length=spoken.length((end - opening.started_at).total_seconds()),
            bar=self.window.bar(opening.started_at, end),
            counts=[badges.count_badge(status, n) for status, n in _ordered(fork.counts)],
            total=_number(len(fork.results)),
            retries=max(len(fork.joins) - 1, 0) + (fork.is_live and bool(fork.joins)),
            error=self.shown.error(_not_told_below(fork, told)) if told else None,
            changes=[entry for row in joined for entry in self.shown.changes(row.changes_text)],
            logs=[line for row in joined for line in self._log_lines(row)],
            members=members,
            shown=_number(len(members)),
            in_order=fork.asked is not None or len(members) >= len(fork.results),
            is_open=small or fork.status != "completed" or fork.asked is not None,
            **self._ways(fork),
        )

    def _log_lines(self, row: StepRun) -> list[LogView]:
        return log_views(row.logs_text, self.shown, self.logs)

    def _ways(self, fork: Fork) -> dict[str, Any]:
        """The links to other members than those that are shown."""
        if fork.asked is None and len(fork.members) >= len(fork.results):
            return {}
        if not fork.members and fork.asked is None:
            return {"all_address": self.links.members(fork)}
        asked = fork.asked
        choices = [Choice("", self.links.members(fork), asked == "")]
        for status, count in _ordered(fork.counts):
            label, address = badges.count_badge(status, count), self.links.members(fork, status)
            choices.append(Choice(label, address, asked == status))
        ways: dict[str, Any] = {"choices": choices, "all_address": choices[0].address}
        page = fork.page
        if page is None or asked is None or page.paginator.num_pages < 2:
            return ways
        ways["first"], ways["last"] = _number(page.start_index()), _number(page.end_index())
        ways["of"] = _number(page.paginator.count)
        if page.has_previous():
            number = page.previous_page_number()
            ways["earlier_address"] = self.links.members(fork, asked, number)
        if page.has_next():
            ways["later_address"] = self.links.members(fork, asked, page.next_page_number())
        return ways

    def _member(self, member: Member, fork: Fork) -> MemberView:
        row, status = member.row, member.status
        last = member.steps[-1] if member.steps else None
        told = last is not None and bool(last.error_text)
        if last is not None and last.seq in member.forks:
            joins = member.forks[last.seq].joins
            told = bool(joins) and bool(joins[-1].error_text)
        # The member of a parallel or race that is a single node has that node's path.
        inside = f"{row.path}/" if has_item(row) else f"{fork_of(row.path)}/"
        own = self.of(member.steps, member.forks, inside)
        end = row.finished_at or self.window.now
        begun = row.started_at
        keys, item_keys = keys_of_member(row), keys_of_item(row, self.sources)
        completed = status == ExecutionStatus.COMPLETED
        error = self.shown.error(row.error_text) if status == ExecutionStatus.FAILED else None
        brief = self.shown.brief
        # What the last step says, the member need not say again.
        repeated = last is not None and last.output_text == row.result_text
        return MemberView(
            anchor=f"member-{row.pk}",
            name=row.path.rpartition("/")[2],
            badge=badges.member_badge(status),
            tone=badges.LOOKS[status].tone if status in badges.LOOKS else "calm",
            item_brief=brief(row.input_text, ITEM_LENGTH_MAX, *item_keys) if has_item(row) else "",
            output_brief=brief(row.result_text, OUTPUT_LENGTH_MAX, *keys) if completed else "",
            says=_says(error) or (_progress(last, self.shown) if not completed else ""),
            is_winner=completed and fork.opening.kind == "race" and _has_won(row, fork),
            attempts=max((step.attempt for step in member.steps), default=0),
            offset=self.window.offset(begun) if begun else "",
            length=spoken.length((end - begun).total_seconds()) if begun else "",
            bar=self.window.bar(begun, end) if begun else None,
            address=self.links.page_of(row.pk),
            item=self.shown.value(row.input_text, *item_keys) if has_item(row) else None,
            output=self.shown.value(row.result_text, *keys) if completed and not repeated else None,
            error=None if told else error,
            steps=own,
            earlier=member.earlier,
            is_open=status == ExecutionStatus.FAILED == fork.status and fork.counts[status] == 1,
        )


def has_item(row: Execution) -> bool:
    """Whether a strand is a member of a foreach."""
    return row.path.endswith("]")


def _not_told_below(fork: Fork, join: StepRun) -> str:
    """The error of a join, "" where a member that is shown has it."""
    failed = (member.row.error_text for member in fork.members)
    return "" if join.error_text in failed else join.error_text


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    known = [(status, counts[status]) for status in ORDER if status in counts]
    return [*known, *((status, n) for status, n in counts.items() if status not in ORDER)]


def _number(count: int) -> str:
    return number_format(count, force_grouping=True)


def _says(error: ErrorView | None) -> str:
    return ": ".join(filter(None, (error.type, error.message))) if error is not None else ""


def _progress(step: StepRun | None, shown: Shown) -> str:
    return shown.text(step.progress_message) if step is not None else ""


def _has_won(row: Execution, fork: Fork) -> bool:
    join = fork.joins[-1] if fork.joins else None
    if join is None or join.status != "completed":
        return False
    try:
        return bool(values.decode(join.output_text)["winner"] == node_name(row.path))
    except (ValueError, TypeError, KeyError):
        return False
