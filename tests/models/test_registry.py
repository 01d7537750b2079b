"""The table of models: the one that ships is right, and wrong ones are refused with the reason."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.entry import PackageSource, ShippedSource, is_plain_name, resolve
from models.errors import ModelError, UnknownModel
from models.registry import TABLE, Registry, registry

DOCS = Path(__file__).resolve().parents[2] / "docs/models.md"
HEAD = 'kind = "k"\ndescription = "d"\nlicence = "MIT"\nupstream = "u"\nupstream_licence = "MIT"\n'
SHIPPED = '[a.shipped]\nfolder = "builtin"\nfiles = ["x"]\n'
GOOD = f"[a]\n{HEAD}{SHIPPED}"
PACKAGE = (
    '[a.package]\nname = "p"\nversion = "1"\nbytes = 1\nsha256 = "SHA"\n'
    'files = [{ path = "PATH", as = "AS", bytes = 1, sha256 = "SHA" }]\n'
)


def read(tmp_path: Path, text: str) -> Registry:
    table = tmp_path / "table.toml"
    table.write_text(text)
    return Registry.read(table)


def package(path: str = "p/x", on_disk: str = "x", sha: str = "0" * 64) -> str:
    return f"[a]\n{HEAD}" + PACKAGE.replace("PATH", path).replace("AS", on_disk).replace("SHA", sha)


def test_the_table_that_ships() -> None:
    known = registry()
    assert set(known.names()) >= {
        *("smollm2-135m-instruct", "ssd-mobilenet-v3", "efficientnet-lite2"),
        *("minilm-l6-v2", "example-clips", "builtin"),
    }
    assert known.defined_in == TABLE
    assert registry() is known


@pytest.mark.parametrize("entry", list(registry()), ids=lambda entry: entry.name)
def test_every_entry_is_usable(entry: object) -> None:
    from models.entry import Entry

    assert isinstance(entry, Entry)
    for where in (entry.loader, entry.prepare):
        if where is not None:
            assert inspect.isfunction(resolve(where))
    assert not re.search(r"\bA?GPL", f"{entry.licence} {entry.upstream_licence}")
    if isinstance(entry.source, PackageSource):
        assert entry.revision == f"{entry.source.package}=={entry.source.version}+{entry.source.sha256[:12]}"
        assert entry.download_bytes == entry.source.bytes
    if isinstance(entry.source, ShippedSource):
        assert entry.download_bytes == 0
    assert f"`{entry.name}`" in DOCS.read_text(encoding="utf-8")


def test_the_gpl_file_beside_the_detector_is_not_taken() -> None:
    source = registry().get("ssd-mobilenet-v3").source
    assert isinstance(source, PackageSource)
    assert all("mobilenet_v3" in file.path and "yolo" not in file.path for file in source.files)


def test_parts_come_first_and_once() -> None:
    names = [entry.name for entry in registry().with_parts("builtin")]
    assert names[-1] == "builtin"
    assert len(names) == len(set(names)) == 5


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("buildin", "builtin"), ("MiniLM", "minilm-l6-v2"), ("smollm2", "smollm2-135m-instruct")],
)
def test_unknown_names_suggest_near_ones(typed: str, meant: str) -> None:
    with pytest.raises(UnknownModel, match=f"no model called '{typed}'; did you mean .*{meant}"):
        registry().get(typed)


def test_names_like_nothing_get_the_list() -> None:
    with pytest.raises(UnknownModel, match=r"there are: smollm2-135m-instruct, .*builtin"):
        registry().get("???")


def test_it_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        registry()._entries["new"] = registry().get("builtin")  # type: ignore[index]
    with pytest.raises(AttributeError):
        registry().get("builtin").kind = "other"  # type: ignore[misc]


def test_a_good_table(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).names() == ("a",)
    assert read(tmp_path, package()).get("a").revision == f"p==1+{'0' * 12}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD + GOOD, "not valid"),  # twice the same name
        (GOOD.replace('kind = "k"\n', ""), "needs a text for 'kind'"),
        (GOOD.replace('kind = "k"', 'kind = "k"\nsize = 3'), "unknown key 'size'"),
        (f"[a]\n{HEAD}", "exactly one of package, hub, shipped; has 0"),
        (GOOD + '[a.hub]\nrepo = "r"\ncommit = "c"\nbytes = 1\n', "has 2"),
        (f'[a]\n{HEAD}[a.hub]\nrepo = "r"\ncommit = "main"\nbytes = 1\n', "40 hex digits"),
        (GOOD.replace(HEAD, HEAD + 'loader = "models"\n'), "loader must look like"),
        (GOOD.replace(HEAD, HEAD + 'prepare = "models.x:y"\n'), "come together"),
        (GOOD.replace(HEAD, HEAD + 'parts = ["b"]\n'), "part 'b' is not in the table"),
        (GOOD.replace('folder = "builtin"', 'folder = "../builtin"'), "not a plain relative path"),
        (package(on_disk="../x"), "'../x' is not a plain relative path"),
        (package(on_disk="/etc/x"), "not a plain relative path"),
        (package(path="../p/x"), "not a plain relative path"),
        (package(sha="0" * 63), "64 lower-case hex digits"),
        (package(sha="A" * 64), "64 lower-case hex digits"),
        (package().replace("bytes = 1\n", "bytes = 0\n"), "above 0"),
        (package().replace('version = "1"\n', ""), "key 'version' is missing"),
        ("a = 3", "must be a table"),
    ],
)
def test_bad_tables_are_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=re.escape(reason)):
        read(tmp_path, text)


def test_a_part_of_itself(tmp_path: Path) -> None:
    known = read(tmp_path, GOOD.replace(HEAD, HEAD + 'parts = ["a"]\n'))
    with pytest.raises(ModelError, match="part of itself"):
        known.with_parts("a")


@given(st.text(alphabet="ab./\\:\0", max_size=12))
def test_plain_names_stay_in_their_folder(name: str) -> None:
    if is_plain_name(name):
        base = Path("/base")
        assert (base / name).is_relative_to(base)
        assert ".." not in Path(name).parts
