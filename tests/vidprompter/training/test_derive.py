import re

from vidprompter.facts.camera_text import camera_claims, camera_contradictions, sentences
from vidprompter.facts.lexicon import UNSEEN
from vidprompter.sheet.lines import plural
from vidprompter.tasks import Task
from vidprompter.training.derive import Example, derive

PAIRS = [
    (
        "a brown horse in a field",
        "A brown horse gallops through a wide green field while two white dogs run beside it. The horse has a long "
        "black mane that streams in the wind. The camera pans left to follow the animals. A wooden fence lines the "
        "field, and tall trees stand behind it. The gentle sound of a stream can be heard nearby. The dogs leap over "
        "a fallen log and splash through shallow water.",
    ),
    (
        "a woman cooks in a kitchen",
        "A woman in a blue apron stirs a pot of soup on a stove in a bright kitchen. Sliced carrots lie on a wooden "
        "board beside a knife. Steam rises from the pot and drifts past a window. She tastes the soup with a spoon "
        "and smiles. The scene is captured in a close-up shot. Shelves of jars and plates fill the wall behind her.",
    ),
    ("a spaceship", "Short."),
]


def examples(seed: int) -> list[Example]:
    return [e for made in derive(PAIRS, seed=seed) for e in made]


def test_the_same_seed_gives_the_same_examples() -> None:
    assert examples(3) == examples(3)
    assert examples(3) != examples(4)


def test_a_pair_too_short_gives_nothing() -> None:
    assert [len(made) for made in derive(PAIRS)][2] == 0


def test_targets_say_what_the_sheet_says_and_no_other_camera() -> None:
    seen_tasks, seen_motions = set(), set()
    for seed in range(60):
        for example in examples(seed):
            seen_tasks.add(example.task)
            assert len(sentences(example.target)) >= 4
            assert not UNSEEN & set(re.findall(r"[a-z]+", example.target.lower()))
            if example.task is Task.SHORT_TO_PROMPT:
                continue
            line = re.search(r"^camera: ([a-z ]+)", example.context, re.M)
            measured = line.group(1) if line else "unknown"
            seen_motions.add(measured)
            assert not camera_contradictions(example.target, measured)
            assert measured == "unknown" or measured in camera_claims(example.target)
            objects = re.search(r"^objects: (.+)$", example.context, re.M)
            assert objects is not None
            main = re.sub(r"^\d+ | \(.*", "", objects.group(1).split("; ")[0])
            assert re.search(rf"\b({main}|{plural(main)})\b", example.target.lower()), (main, example.target)
    assert seen_tasks == set(Task)
    assert {"static", "pan left", "zoom in", "unknown"} <= seen_motions


def test_task_two_carries_the_short_prompt() -> None:
    both = [e for seed in range(30) for e in examples(seed) if e.task is Task.VIDEO_AND_SHORT_TO_PROMPT]
    assert both
    assert all("\nshort: a " in e.context for e in both)
