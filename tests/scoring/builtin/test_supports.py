from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring.builtin.hues import color_support, same_color, weights_of
from scoring.builtin.look import SeenThing, ShotCamera
from scoring.builtin.moves import camera_support, sheet_camera_support, shot_fit, shot_support
from scoring.builtin.nouns import Nouns
from scoring.builtin.weigh import light_support, motion_support
from tests.scoring.builtin.looks import SHEET, road, shares
from vidprompter.facts.claims import MONOCHROME, Claim, statements
from vidprompter.facts.lexicon import COLORS
from vidprompter.sheet.types import LightFact


def shot(
    x: float = 0.0, y: float = 0.0, zoom: float = 0.0, *, jitter: float = 0.001, steady: float = 1.0
) -> ShotCamera:
    return ShotCamera(3.0, (x, y, zoom, 0.0), (steady,) * 4, jitter, 1.0)


@pytest.mark.parametrize(
    ("camera", "right"),
    [
        (shot(), "static"),
        (shot(0.08), "pan left"),
        (shot(-0.08), "pan right"),
        (shot(0.0, 0.08), "tilt up"),
        (shot(0.0, -0.08), "tilt down"),
        (shot(zoom=0.1), "zoom in"),
        (shot(zoom=-0.1), "zoom out"),
        (shot(jitter=0.15, steady=0.1), "handheld"),
    ],
)
def test_the_right_camera_word_fits_best(camera: ShotCamera, right: str) -> None:
    words = ("static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "handheld")
    fits = {word: shot_fit(word, camera) for word in words}
    assert max(fits, key=lambda word: fits[word]) == right
    assert fits[right] > 0.7 and sorted(fits.values())[-2] < 0.5
    moving = shot_fit("other", camera)
    assert moving < 0.3 if right == "static" else moving > 0.7


def test_a_word_without_direction_fits_both_ways() -> None:
    assert min(shot_fit("pan", shot(0.08)), shot_fit("pan", shot(-0.08))) > 0.7
    assert shot_fit("pan", shot(zoom=0.1)) < 0.3


def test_shots_count_by_their_length() -> None:
    still = ShotCamera(9.0, (0.0,) * 4, (0.0,) * 4, 0.0, 1.0)
    look = replace(road(), cameras=(still, *road().cameras))
    assert camera_support("static", look)[0] > camera_support("pan left", look)[0]


def test_cuts_need_more_than_one_shot() -> None:
    look = road()
    assert camera_support("cuts", look) == (0.12, "one shot")
    cut = replace(look, sheet=replace(SHEET, shots=(*SHEET.shots, *SHEET.shots)))
    assert camera_support("cuts", cut)[0] > 0.8


def test_the_sheets_words_are_enough_for_the_camera() -> None:
    fits = {
        word: sheet_camera_support(word, SHEET)[0]
        for word in ("pan left", "pan", "other", "static", "zoom in")
    }
    assert fits["pan left"] > fits["pan"] > fits["other"] > 0.7
    assert max(fits["static"], fits["zoom in"]) < 0.3


def test_shot_sizes_next_to_each_other_are_nearly_right() -> None:
    fits = [shot_support(size, SHEET)[0] for size in ("wide shot", "full shot", "medium shot", "close-up")]
    assert fits == sorted(fits, reverse=True) and fits[0] > 0.8 > fits[1] > 0.5 > fits[-1]


@pytest.mark.parametrize("color", sorted(COLORS))
def test_every_colour_word_means_something(color: str) -> None:
    assert weights_of(color).max() == 1


def test_shades_are_the_same_colour() -> None:
    assert (
        same_color("blue", "dark blue")
        and same_color("grey", "gray")
        and same_color("black", "black and white")
    )
    assert not same_color("blue", "red") and not same_color("nonsense", "red")


def test_the_colour_of_the_thing_counts_and_not_that_beside_it() -> None:
    look = road()
    (car,) = look.things
    on_car = {
        c: color_support(Claim("color", c, "car"), look, car, None)[0] for c in ("white", "gray", "green")
    }
    assert on_car["white"] > 0.8 > on_car["gray"] > on_car["green"]
    on_road = {
        c: color_support(Claim("color", c, "road"), look, None, None)[0] for c in ("white", "gray", "green")
    }
    assert on_road["gray"] > on_road["white"] > on_road["green"]


def test_clothes_are_looked_for_on_people() -> None:
    bands = shares(gray=0.5)
    bands[1] = shares(orange=0.9)[1]
    person = SeenThing("person", "person", 0.95, 0.9, (1, 1, 1), 0.1, bands)
    sweater = {
        c: color_support(Claim("color", c, "sweater"), road(), None, person)[0] for c in ("orange", "purple")
    }
    assert sweater["orange"] > 0.8 and sweater["purple"] < 0.1


def test_colours_in_a_black_and_white_clip_are_wrong() -> None:
    look = replace(road(), sheet=replace(SHEET, monochrome=True))
    assert color_support(Claim("color", "red", "kite"), look, None, None)[0] < 0.1
    assert color_support(Claim("color", MONOCHROME), look, None, None)[0] > 0.9
    assert color_support(Claim("color", MONOCHROME), road(), None, None)[0] < 0.5


def nouns(text: str, look: object = None) -> dict[str, float]:
    known = Nouns(road(), None)
    return {c.noun: known.support(c)[0] for c in statements([text])[0].of("object", "place")}


def test_what_was_seen_is_supported_and_what_was_not_is_not() -> None:
    found = nouns("A car, a taxi, a horse, a person and a violin on a road.")
    assert found["car"] > 0.8 and found["road"] > 0.7 and found["car"] > found["taxi"] > 0.5
    assert max(found["horse"], found["person"], found["violin"]) < 0.3


def test_another_animal_than_the_one_that_was_seen_is_wrong() -> None:
    cat = SeenThing("cat", "animal", 0.9, 0.8, (1, 1, 1), 0.2, shares(white=1.0))
    known = Nouns(replace(road(), things=(cat,)), None)
    found = {
        c.noun: known.support(c)[0] for c in statements(["A kitten, a dog and an animal."])[0].of("object")
    }
    assert found["kitten"] > 0.8 and found["animal"] > 0.8 and found["dog"] < 0.2


def test_numbers_are_compared_with_those_at_once() -> None:
    known = Nouns(road(), None)

    def fit(number: str, *, firm: bool = True) -> float:
        return known.number_support(Claim("count", number, "car", "car", "artifact", "car", firm=firm))[0]

    fits = [fit(number) for number in ("2", "3", "4", "8")]
    assert fits == sorted(fits, reverse=True) and fits[0] > 0.8 and fits[-1] < 0.3
    assert fit("1") < 0.5 <= fit("1", firm=False)


def test_what_nobody_counts_is_rather_one_than_many() -> None:
    known = Nouns(road(), None)
    fits = [known.number_support(Claim("count", n, "kite", "kite"))[0] for n in ("1", "2", "5", "12")]
    assert fits == sorted(fits, reverse=True) and fits[0] > 0.5 > fits[1]


def test_light_and_motion() -> None:
    dark = replace(SHEET, light=LightFact("dark", 0.9, "warm", 0.1))
    assert light_support("dark", dark)[0] > 0.8 > 0.2 > light_support("bright", dark)[0]
    assert light_support("warm", dark)[0] > 0.8 > 0.3 > light_support("cool", dark)[0]
    assert motion_support("moving", SHEET)[0] > motion_support("still", SHEET)[0]
    assert np.isclose(motion_support("toward the camera", SHEET)[0], 0.5)
