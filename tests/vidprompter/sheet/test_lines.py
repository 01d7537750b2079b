import pytest

from tests.vidprompter.engines.test_builtin import sheet
from vidprompter.facts.phrases import article, is_plural
from vidprompter.sheet.lines import ObjectLine, SheetLines, lines_of, plural, speed_word, told_camera
from vidprompter.sheet.types import CameraMotion, ObjectFact, SceneSheet, Shot


def test_sure_facts_become_lines() -> None:
    assert lines_of(sheet("pan left", "horse", "field")).render() == (
        "objects: 1 horse (brown, center)\n"
        "scene: field\n"
        "shot: medium shot\n"
        "camera: pan left, steady\n"
        "light: bright, neutral, medium contrast\n"
        "colors: green, gray"
    )


def test_unsure_facts_are_left_out() -> None:
    from dataclasses import replace

    unsure = replace(
        sheet("pan left", "horse", "field"),
        camera=CameraMotion("pan left", 0.1, 0.3),
        objects=(ObjectFact("horse", 1, 0.9), ObjectFact("zebra", 1, 0.2)),
        palette=(),
    )
    text = lines_of(unsure).render()
    assert "zebra" not in text and "camera" not in text and "colors" not in text


def test_the_camera_of_one_shot_is_not_told_of_a_montage() -> None:
    from dataclasses import replace

    one = sheet("pan left", "horse", "field")
    still = CameraMotion("static", 0.0, 0.9)
    assert told_camera(one) == "pan left"
    cuts = (
        Shot(0.0, 2.0, one.camera, "unknown"),
        Shot(2.0, 3.5, still, "unknown"),
        Shot(3.5, 5.0, still, "unknown"),
    )
    assert told_camera(replace(one, shots=cuts)) == "cuts"
    alike = tuple(replace(shot, camera=one.camera) for shot in cuts)
    assert told_camera(replace(one, shots=alike)) == "pan left"


@pytest.mark.parametrize(
    ("motion", "confidence", "told"),
    [("pan left", 0.7, "pan left"), ("pan left", 0.45, "moving"), ("pan left", 0.2, "unknown"),
     ("static", 0.55, "static"), ("static", 0.45, "unknown"), ("unknown", 0.9, "unknown")],
)  # fmt: skip
def test_what_is_told_depends_on_how_sure_it_is(motion: str, confidence: float, told: str) -> None:
    from dataclasses import replace

    camera = CameraMotion(motion, 0.1, confidence)  # type: ignore[arg-type]
    one = replace(
        sheet("pan left", "horse", "field"), camera=camera, shots=(Shot(0.0, 5.0, camera, "unknown"),)
    )
    assert told_camera(one) == told
    assert ("camera:" in lines_of(one).render()) == (told not in ("moving", "unknown"))


def test_a_sheet_survives_json() -> None:
    one = sheet("zoom in", "cat", "room")
    assert SceneSheet.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    ("noun", "many"),
    [("horse", "horses"), ("bus", "buses"), ("person", "people"), ("water bottle", "water bottles"),
     ("cherry", "cherries"), ("toy", "toys"), ("sheep", "sheep"), ("wine glass", "wine glasses")],
)  # fmt: skip
def test_plurals(noun: str, many: str) -> None:
    assert plural(noun) == many
    assert is_plural(f"the {many}")
    assert is_plural(f"the {noun}") == (noun == many)


def test_words_for_speed_count_and_article() -> None:
    assert [speed_word("pan left", s) for s in (0.02, 0.1, 0.5)] == ["slow", "steady", "fast"]
    assert article("orange car") == "an orange car"
    assert SheetLines(objects=(ObjectLine("horse", 3),)).subject == "the horses"
    assert SheetLines().subject == "the scene"
