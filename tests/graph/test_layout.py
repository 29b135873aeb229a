"""What holds for the drawing of any structure: boxes in their frames, none over another."""

from copy import deepcopy
from itertools import combinations
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from durable_django.graph.layout import BEGIN, END, Layout, layout_of
from durable_django.graph.plan import plan_of, walk
from durable_django.graph.tiles import ROW_WIDTH_MAX, Tile

LEAVES = ["step", "decision", "sleep", "event", "input", "callback", "call", "start", "?"]
BLOCKS = ["parallel", "race", "foreach", "loop", "sequence"]
ALL = [*LEAVES, *BLOCKS, "branch"]


def named(nodes: list[dict[str, Any]], count: list[int]) -> None:
    """Gives every node a name of its own, and decisions their targets, as the code would."""
    for node in nodes:
        count[0] += 1
        short = f"n{count[0]}"
        node["name"] = short if count[0] % 3 else f"{short}_with_a_rather_long_name_{'x' * 40}"
        if node["kind"] == "case":
            node["label"] = node.pop("name")
        named(node.get("children", []), count)
    names = [node["name"] for node in nodes if "name" in node]
    for node in nodes:
        if node["kind"] == "decision":
            wanted = node.pop("wants", ())
            node["to"] = [name for place, name in enumerate(names) if place in wanted]


def grown(seed: int) -> list[dict[str, Any]]:
    """A plan as somebody might write it, of up to some sixty nodes."""
    random = Random(seed)
    room = random.choice([3, 12, 60])

    def sequence(depth: int, most: int) -> list[dict[str, Any]]:
        return [node(depth) for _ in range(random.randint(1, most))]

    def node(depth: int) -> dict[str, Any]:
        nonlocal room
        room -= 1
        made: dict[str, Any] = {"kind": random.choice(LEAVES if depth > 4 or room < 0 else ALL)}
        if made["kind"] == "decision":
            made["wants"] = random.sample(range(9), random.randint(0, 4))
        elif made["kind"] == "branch":
            ways = range(random.randint(1, 4))
            made["children"] = [{"kind": "case", "children": sequence(depth + 1, 3)} for _ in ways]
        elif made["kind"] in BLOCKS:
            made["children"] = sequence(depth + 1, 8)
        if random.random() < 0.2:
            made["compensation"] = {"name": "undo_it"}
        return made

    return sequence(0, 12)


structures = st.integers(0, 2**32).map(grown)


def structure_of(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    copied = deepcopy(nodes)
    named(copied, [0])
    return {"nodes": copied}


def drawn(nodes: list[dict[str, Any]]) -> Layout:
    return layout_of(plan_of(structure_of(nodes)))


def overlap(one: Tile, other: Tile) -> bool:
    return (
        one.x < other.right
        and other.x < one.right
        and one.y < other.bottom
        and other.y < one.bottom
    )


def long_sequence(many: int) -> list[dict[str, Any]]:
    return [{"kind": "step"} for _ in range(many)]


@settings(max_examples=60)
@given(structures)
@example(long_sequence(300))
@example([{"kind": "parallel", "children": long_sequence(60)}])
@example([{"kind": "foreach", "children": long_sequence(90)}])
def test_boxes_lie_in_their_frames_and_none_over_another(nodes):
    layout = drawn(nodes)
    siblings = [layout.flow.tiles]
    for tile in layout.tiles():
        assert tile.x >= 0
        assert tile.right <= layout.width
        assert tile.y >= 0
        assert tile.bottom <= layout.height
        if tile.inside is not None:
            siblings.append(tile.inside.tiles)
            for inner in tile.inside.tiles:
                assert tile.x < inner.x
                assert inner.right < tile.right - tile.pile
                assert tile.below_head < inner.y
                assert inner.bottom < tile.bottom - tile.tab - tile.pile
    for tiles in siblings:
        assert not any(overlap(one, other) for one, other in combinations(tiles, 2))


@settings(max_examples=60)
@given(structures)
@example(long_sequence(300))
def test_arrows_begin_and_end_at_the_borders_of_what_they_join(nodes):
    layout = drawn(nodes)
    tiles = {tile.node.key: tile for tile in layout.tiles()}
    for route in layout.routes:
        (x, y), (end_x, end_y) = route.points[0], route.points[-1]
        if route.start != BEGIN:
            tile = tiles[route.start]
            assert tile.x <= x <= tile.right
            # Out of the foot, out of the foot of a head, or sideways out of the head.
            sideways = x in (tile.x, tile.right - tile.pile) and tile.y < y < tile.below_head
            assert y in (tile.bottom, tile.below_head) or sideways
        if route.end != END:
            tile = tiles[route.end]
            assert tile.x <= end_x <= tile.right
            assert tile.y <= end_y <= tile.below_head
        for (a, b), (c, d) in zip(route.points, route.points[1:], strict=False):
            assert a == c or b == d
            assert 0 <= c <= layout.width
            assert 0 <= d <= layout.height


@settings(max_examples=60)
@given(structures)
def test_arrows_between_neighbours_run_over_no_box(nodes):
    layout = drawn(nodes)
    leaves = [tile for tile in layout.tiles() if tile.is_leaf]
    for route in layout.routes:
        for (a, b), (c, d) in zip(route.points, route.points[1:], strict=False):
            for tile in leaves:
                assert not (
                    min(a, c) < tile.right - 14
                    and max(a, c) > tile.x + 14
                    and min(b, d) < tile.bottom
                    and max(b, d) > tile.y
                ), (route, tile.node.name)


@settings(max_examples=60)
@given(structures)
def test_a_drawing_is_no_larger_than_its_nodes_need(nodes):
    layout = drawn(nodes)
    many = sum(1 for _ in walk(plan_of(structure_of(nodes))))
    assert layout.width <= 300 + 320 * many
    assert layout.height <= 160 + 160 * many


@settings(max_examples=60)
@given(structures)
def test_the_same_structure_is_drawn_the_same(nodes):
    one, other = drawn(nodes), drawn(nodes)
    assert one.routes == other.routes
    assert [(t.x, t.y, t.width) for t in one.tiles()] == [
        (t.x, t.y, t.width) for t in other.tiles()
    ]


def test_one_node_is_small_and_three_hundred_fit_columns():
    small = drawn(long_sequence(1))
    assert small.width < 280
    assert small.height < 200
    large = drawn(long_sequence(300))
    assert large.width < ROW_WIDTH_MAX + 100
    assert large.height < 300 * 80 / 4
    wide = drawn([{"kind": "parallel", "children": long_sequence(60)}])
    assert wide.width < ROW_WIDTH_MAX + 100
