import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.files.sessions import find_session, new_session_folder


def test_a_new_folder_is_the_latest(tmp_path: Path) -> None:
    out = tmp_path / "reports" / "out"
    first = new_session_folder(out)
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", first.name)
    assert first.is_dir()
    assert find_session(out) == first
    second = new_session_folder(out)
    assert second != first
    assert find_session(out, "latest") == second
    assert find_session(out, first.name) == first
    assert str((out / "latest").readlink()) == second.name  # relative: the folder can be moved


def test_many_at_once_are_all_different_and_leave_nothing_else(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: new_session_folder(tmp_path), range(40)))
    assert len(folders) == 40
    assert {path.name for path in tmp_path.iterdir()} == {"latest", *(folder.name for folder in folders)}
    assert find_session(tmp_path) in folders


@pytest.mark.parametrize("name", ["", "..", "../x", "/etc", "20260131T235959Z-0123abcd/..", "latest/..", "a\n", "a\0"])
def test_names_that_cannot_be_sessions_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HarnessError, match=r"session: found .*, allowed: latest, or a name such as") as caught:
        find_session(tmp_path, name)
    assert caught.value.code is ExitCode.USAGE
    assert str(caught.value).isprintable()


def test_a_missing_session_is_said_with_the_newest_there_is(tmp_path: Path) -> None:
    name = "20260131T235959Z-0123abcd"
    for out in (tmp_path, tmp_path / "missing"):
        for wanted in (name, "latest"):
            with pytest.raises(HarnessError, match=f"no session {wanted} here; there is none yet") as caught:
                find_session(out, wanted)
            assert caught.value.code is ExitCode.BASELINE
    folder = new_session_folder(tmp_path)
    with pytest.raises(HarnessError, match=f"there are 1, the newest is {folder.name}"):
        find_session(tmp_path, name)
    folder.rmdir()
    with pytest.raises(HarnessError, match="no session latest here"):
        find_session(tmp_path)


def test_where_no_folder_can_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HarnessError, match=r"cannot save .*Not a directory") as caught:
        new_session_folder(tmp_path / "file" / "out")
    assert caught.value.code is ExitCode.NOT_SAVED
    (tmp_path / "latest").mkdir()
    with pytest.raises(HarnessError, match="Is a directory"):
        new_session_folder(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
