"""Item keys: equal for equal items, different for different ones."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from vidprompter.runs.keys import ItemName, item_key, settings_text, shard_of

seconds = st.none() | st.floats(0, 1e6, allow_nan=False)
names = st.builds(
    ItemName,
    root=st.integers(1, 5),
    path=st.text(max_size=20),
    start=seconds,
    end=seconds,
    task=st.sampled_from(["video_to_prompt", "video_and_short_to_prompt"]),
    short=st.none() | st.text(max_size=20),
    variant=st.integers(0, 3),
    settings=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3).map(
        settings_text
    ),
)


def description(name: ItemName, occurrence: int) -> tuple[object, ...]:
    return (
        name.root,
        name.path,
        name.start,
        name.end,
        name.task,
        name.short,
        name.variant,
        json.loads(name.settings),
        occurrence,
    )


@given(names, names, st.integers(0, 2), st.integers(0, 2))
def test_equal_keys_are_equal_items(one: ItemName, other: ItemName, first: int, second: int) -> None:
    same = description(one, first) == description(other, second)
    assert (item_key(one, first) == item_key(other, second)) == same


@given(st.dictionaries(st.text(max_size=5), st.integers(), max_size=4))
def test_the_order_of_settings_does_not_matter(settings: dict[str, int]) -> None:
    assert settings_text(dict(reversed(list(settings.items())))) == settings_text(settings)


@given(st.lists(names, min_size=1, max_size=30), st.integers(1, 5))
def test_shards_hold_everything_once_and_do_not_depend_on_the_root(items: list[ItemName], count: int) -> None:
    for item in items:
        shards = [number for number in range(count) if shard_of(item, count) == number]
        assert len(shards) == 1
        assert shard_of(item._replace(root=item.root + 1, settings="{}"), count) == shards[0]


def test_whole_seconds_are_one_number() -> None:
    assert item_key(ItemName(1, "a", start=1, end=2)) == item_key(ItemName(1, "a", start=1.0, end=2.0))


def test_a_name_that_is_not_utf8_has_a_key() -> None:
    assert item_key(ItemName(1, "a\udcff.mp4")) != item_key(ItemName(1, "a\udcfe.mp4"))


SETTINGS = {"seed": 0, "model": "m"}


def test_keys_stay_what_they_are() -> None:
    """Changing this orphans every ledger that users have: bump the schema version instead."""
    name = ItemName(1, "a/b.mp4", None, 2.5, "video_to_prompt", "kötter", 1, settings_text(SETTINGS))
    assert item_key(name) == "6dadea79ec4b39134b366ccc67ff89f4"
