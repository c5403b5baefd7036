from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.files.baselines import list_baselines, load_baseline, remove, save
from harness.model import Failure, Run


def test_kept_listed_loaded_replaced_and_removed(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "baselines"
    assert list_baselines(folder) == ()
    assert save(folder, "v1.2", run) == folder / "v1.2.json"
    save(folder, "main", run)
    assert list_baselines(folder) == ("main", "v1.2")
    assert load_baseline(folder, "main") == run
    newer = replace(run, seed=8)
    save(folder, "main", newer, replace=True)
    assert load_baseline(folder, "main") == newer
    remove(folder, "main")
    assert list_baselines(folder) == ("v1.2",)


def test_it_is_not_overwritten_by_accident(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "main", run)
    with pytest.raises(HarnessError, match="exists already") as caught:
        save(tmp_path, "main", replace(run, seed=8))
    assert caught.value.code is ExitCode.USAGE
    assert load_baseline(tmp_path, "main") == run


def test_of_many_who_save_at_once_one_wins_and_the_others_are_told(run: Run, tmp_path: Path) -> None:
    def attempt(seed: int) -> int | None:
        try:
            save(tmp_path, "main", replace(run, seed=seed))
        except HarnessError:
            return None
        return seed

    with ThreadPoolExecutor(8) as pool:
        winners = [seed for seed in pool.map(attempt, range(40)) if seed is not None]
    assert winners == [load_baseline(tmp_path, "main").seed]
    assert [path.name for path in tmp_path.iterdir()] == ["main.json"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../main", "a/b", "/etc/passwd", "a\\b", "A", "-a", ".a", "a.", "a b", "a\n", "ü", "a" * 81, "a\0"],
)
def test_names_that_are_paths_or_worse_are_refused(run: Run, tmp_path: Path, name: str) -> None:
    for action in (
        lambda: save(tmp_path, name, run),
        lambda: load_baseline(tmp_path, name),
        lambda: remove(tmp_path, name),
    ):
        with pytest.raises(HarnessError, match="baseline name: found") as caught:
            action()
        assert caught.value.code is ExitCode.USAGE
        assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_is_kept(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "a" * 80, run)
    assert list_baselines(tmp_path) == ("a" * 80,)


def test_only_complete_runs_without_failures_are_kept(run: Run, tmp_path: Path) -> None:
    for unworthy, reason in [
        (replace(run, state="interrupted"), "the run is interrupted"),
        (replace(run, samples=()), "the run has no values"),
        (
            replace(run, failures=(Failure("s\n", 0, "\x1b[2J"),)),
            r"the run has 1 failures, the first in s\\n: \\x1b\[2J",
        ),
    ]:
        with pytest.raises(HarnessError, match=reason) as caught:
            save(tmp_path, "main", unworthy)
        assert caught.value.code is ExitCode.BASELINE
    assert list_baselines(tmp_path) == ()


def test_a_missing_one_is_said_with_those_that_are_there(run: Run, tmp_path: Path) -> None:
    for action in (load_baseline, remove):
        with pytest.raises(HarnessError, match="no such baseline; there is none yet") as caught:
            action(tmp_path / "missing", "main")
        assert caught.value.code is ExitCode.BASELINE
    save(tmp_path, "other", run)
    for action in (load_baseline, remove):
        with pytest.raises(HarnessError, match="no such baseline; there are: other"):
            action(tmp_path, "main")


def test_a_broken_one_is_refused_though_others_are_good(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "good", run)
    (tmp_path / "main.json").write_bytes((tmp_path / "good.json").read_bytes()[:-200])
    with pytest.raises(HarnessError, match=r"main.json: line") as caught:
        load_baseline(tmp_path, "main")
    assert caught.value.code is ExitCode.BASELINE


def test_links_folders_and_strangers_are_not_baselines(run: Run, tmp_path: Path) -> None:
    save(tmp_path, "good", run)
    (tmp_path / "link.json").symlink_to("/etc/hostname")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "UPPER.json").touch()
    (tmp_path / "readme.md").touch()
    assert list_baselines(tmp_path) == ("folder", "good", "link")
    with pytest.raises(HarnessError, match="found a symbolic link, allowed: a regular file"):
        load_baseline(tmp_path, "link")
    with pytest.raises(HarnessError, match="allowed: a regular file"):
        load_baseline(tmp_path, "folder")
    with pytest.raises(HarnessError, match="Is a directory") as caught:
        remove(tmp_path, "folder")
    assert caught.value.code is ExitCode.NOT_SAVED


def test_a_folder_that_cannot_be_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match=r"cannot save .*/file/x/main.json: Not a directory") as caught:
        save(tmp_path / "file" / "x", "main", run)
    assert caught.value.code is ExitCode.NOT_SAVED
