"""The profiles that ship, a user's own, and bad files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vidprompter import targets
from vidprompter.errors import InputError
from vidprompter.targets.files import user_folder

DOCS = Path(__file__).resolve().parents[3] / "docs" / "targets.md"
LIMITS = {  # max_sequence_length of the pipelines in diffusers
    "allegro": 512, "cogvideox": 226, "easyanimate": 256, "hunyuan": 256, "ltx": 128, "mochi": 256, "skyreels": 512,
    "wan": 512,
}  # fmt: skip
OWN = 'encoder = "CLIP"\ntoken_limit = 77\nadded_tokens = 2\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDPROMPTER_HOME", str(tmp_path / "home"))
    user_folder().mkdir(parents=True)
    return user_folder()


@pytest.mark.parametrize("name", LIMITS)
def test_those_that_ship(name: str) -> None:
    aim = targets.target(name)
    assert (aim.name, aim.token_limit) == (name, LIMITS[name])
    assert "diffusers" in aim.source and aim.title and aim.encoder and aim.tokenizers
    assert 40 < len(aim.phrasing) < 500
    assert aim.max_words < aim.max_tokens < aim.token_limit
    assert aim.negative is None or targets.fits(aim, aim.negative)
    row = next(
        line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}`")
    )
    assert f"| {aim.token_limit} |" in row and f"| {aim.max_words} |" in row
    assert ("| yes |" in row) == (aim.negative is not None)


def test_the_list_is_all() -> None:
    assert set(targets.names()) == set(LIMITS)


def test_names_in_any_case() -> None:
    assert targets.target("LTX") == targets.target("ltx")


def test_an_unknown_name_gets_near_ones_and_the_list() -> None:
    with pytest.raises(
        InputError, match=r"no target called 'hunyan'; did you mean hunyuan\? there are: allegro, .*wan"
    ):
        targets.target("hunyan")


def test_a_user_s_own_by_path_and_by_name(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "My-Model.toml"
    file.write_text(OWN)
    aim = targets.target(str(file))
    assert (aim.name, aim.title, aim.token_limit, aim.negative) == ("my-model", "my-model", 77, None)
    (home / "mine.toml").write_text(OWN.replace("77", "60"))
    assert "mine" in targets.names()
    assert targets.target("mine").token_limit == 60
    (home / "mine.toml").write_text(OWN.replace("77", "61") + 'title = "changed"\n')
    assert targets.target("mine").token_limit == 61


def test_a_user_s_file_goes_before_ours(home: Path) -> None:
    (home / "ltx.toml").write_text(OWN)
    assert targets.target("ltx").token_limit == 77


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("token_limit = 77", "key 'encoder' is missing"),
        ('encoder = "CLIP"', "key 'token_limit' is missing"),
        (OWN.replace("77", "0"), "token_limit must be a whole number from 16 to 100000, not 0"),
        (OWN.replace("77", "true"), "token_limit must be a whole number"),
        (OWN.replace("77", '"77"'), "not '77'"),
        (OWN.replace("= 2", "= -1"), "added_tokens must be a whole number from 0 to 1000, not -1"),
        (OWN.replace("= 2", "= 90"), "token_limit must be a whole number from 91"),
        (OWN + "limit = 3\n", "unknown key 'limit'; there are: added_tokens"),
        (OWN + "negative = 3\n", "negative must be a text, not 3"),
        (OWN + 'tokenizers = "a/b"\n', "tokenizers must be a list of hub ids, not 'a/b'"),
        (OWN + 'tokenizers = ["a"]\n', "not 'a'"),
        (OWN + 'tokenizers = ["../a/b"]\n', "not '../a/b'"),
        ("encoder = ", "is not valid TOML"),
        (b"encoder = '\xff'", "is not valid TOML"),
    ],
)
def test_bad_files(tmp_path: Path, text: str | bytes, reason: str) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=re.escape(reason)) as raised:
        targets.target(str(file))
    assert "\n" not in str(raised.value) and str(file) in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        targets.target(str(tmp_path / "none.toml"))


def test_no_torch() -> None:
    code = "import sys; from vidprompter import targets; targets.fits('ltx', 'a dog'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
