"""The repository itself: what may be committed, what an installed copy holds, what is public."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import vidprompter
from tests.import_rules import MAY_USE

ROOT = Path(__file__).resolve().parents[1]
LINES_AT_MOST = 600
WEIGHTS_AT_MOST = 20_000_000  # bytes of one shipped .safetensors
PUBLIC = "Clip EngineOptions Prompt Request Sampling SceneSheet Task VidPrompter VideoSource Wording".split()

# Written in pieces, so that this file does not hold what it forbids.
MACHINE_PATH = re.compile(
    r"(?<![\w.\-/<>*}])/(?:" + "work|tmp|root|mnt|opt|home|Users|var/folders" + r")/[\w.\-]"
)
REGISTRY_HOST = re.compile(
    r"https?://[^\s/\"')]*(?:"
    + "|".join(["pypi", "pythonhosted", "artifactory", "nexus", "devpi", "simple"])
    + ")"
    r"|--(?:extra-)?index-" + r"url|--find-" + r"links|\b(?:\d{1,3}\.){3}\d{1,3}:\d+"
)
LOCAL_ADDRESSES = re.compile(r"127\.0\.0\.1|0\.0\.0\.0")


def tracked() -> list[Path]:
    """Files that git knows, or will know at the next add; skips where this is not a checkout."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout, so there is no list of tracked files")
    args = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(args, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in out.split("\0") if name and (ROOT / name).is_file()]


def text_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def test_no_machine_paths_and_no_registry_hosts() -> None:
    found = []
    for file in tracked():
        if file.name == ".gitignore":  # "/name/" is a pattern there, not a path
            continue
        for number, line in enumerate((text_of(file) or "").splitlines(), start=1):
            if MACHINE_PATH.search(line) or REGISTRY_HOST.search(LOCAL_ADDRESSES.sub("", line)):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert found == []


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("open('/" + "tmp/x')", True),
        ("cd /" + "home/ann/clips", True),
        ("pip install --extra-" + "index-url x", True),
        ("https://" + "pypi.org/simple", True),
        ("folder/home/x and https://example.org/home/x", False),
        ("http://127.0.0.1:8000/v1", False),
        ("/path/to/clip.mp4", False),
    ],
)
def test_the_check_for_paths_and_hosts(line: str, bad: bool) -> None:
    line = LOCAL_ADDRESSES.sub("", line)
    assert bool(MACHINE_PATH.search(line) or REGISTRY_HOST.search(line)) is bad


def test_files_stay_readable() -> None:
    lengths = {
        str(file.relative_to(ROOT)): len((text_of(file) or "").splitlines())
        for file in tracked()
        if file.suffix == ".py"
    }
    assert {name: lines for name, lines in lengths.items() if lines > LINES_AT_MOST} == {}


def test_shipped_weights_stay_small() -> None:
    sizes = {str(f.relative_to(ROOT)): f.stat().st_size for f in tracked() if f.suffix == ".safetensors"}
    assert {name: size for name, size in sizes.items() if size > WEIGHTS_AT_MOST} == {}


def test_nothing_is_named_like_a_dependency() -> None:
    deps = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[^\w-]", dep)[0].lower().replace("-", "_") for dep in deps} | {"cv2", "PIL"}
    ours = {p.stem for p in ROOT.iterdir() if p.is_dir() or p.suffix == ".py"}
    assert names & ours == set()


def test_a_wheel_holds_every_file_of_our_packages(tmp_path: Path) -> None:
    """Built from a copy, without network: the setuptools of this environment does it."""
    wanted = {str(file.relative_to(ROOT)) for file in tracked() if file.relative_to(ROOT).parts[0] in MAY_USE}
    source = tmp_path / "source"
    for name in [*wanted, "pyproject.toml", "README.md", "LICENSE", "NOTICE"]:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    subprocess.run([*build, "--wheel-dir", str(tmp_path), str(source)], check=True, timeout=240)
    [wheel] = tmp_path.glob("vidprompter-*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert wanted - held == set()
    assert {name.split("/")[0] for name in held if ".dist-info" not in name} <= set(MAY_USE)


def test_public_names() -> None:
    assert sorted(vidprompter.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(vidprompter, name) is not None
    with pytest.raises(AttributeError, match="NoSuchName"):
        _ = vidprompter.NoSuchName


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == vidprompter.__version__


def test_ci_runs_what_the_readme_says() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^(make \w+)", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    assert "make test" in commands
    shown = re.findall(
        r"^(make \w+)", "\n".join(re.findall(r"```bash\n(.*?)```", readme, re.DOTALL)), re.MULTILINE
    )
    assert {"make demo", "make test"} <= set(shown)


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text and len(text) > 11_000
