"""What a variant's name means: services, commits, and when two names mean the same."""

import importlib.metadata
import json
import re
import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from harness.configuration.load import Project, load
from harness.configuration.schema import Container
from harness.errors import ExitCode, HarnessError
from harness.measure.variants import Kind, configured, installed_in_place, notes_of_sources, refuse_identical
from tests.measure.conftest import Stacks
from tests.repositories import Repository

TWO = """
[system.services.backend]
command = ["{{python}}", "service.py", "{{port}}"]
ready = "/ready"
settings = {{ WORK = 0.002, TOKEN = "{{secret}}" }}
{more}
[system.variants.before]
[system.variants.after{after}
"""


@pytest.fixture
def repository(tiny: Path) -> Repository:
    """The tiny project in a sub-folder of a repository; two commits, another service in each."""
    made = Repository.create(tiny.parent)
    made.commit("old")
    made.git("tag", "old")
    service = tiny / "service.py"
    service.write_text(service.read_text("utf-8").replace('b"done"', 'b"done anew"'), "utf-8")
    made.commit("new")
    return made


@pytest.fixture
def project(tiny: Path, repository: Repository) -> Project:
    return load(tiny / "harness.toml")


def with_variants(tiny: Path, after: str, more: str = "") -> Project:
    (tiny / "harness.toml").write_text(TWO.format(after=after, more=more), "utf-8")
    return load(tiny / "harness.toml")


def complaint(project: Project, origin: str, code: ExitCode = ExitCode.USAGE) -> str:
    with pytest.raises(HarnessError) as caught:
        configured(project, origin)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def identical(project: Project, before: str, after: str, kind: Kind = "local") -> str:
    """Why both are refused; empty when they are not."""
    try:
        refuse_identical(project, configured(project, before, kind), configured(project, after, kind), kind)
    except HarnessError as error:
        refused = error
    else:
        return ""
    assert refused.code == ExitCode.BASELINE
    assert len(str(refused).splitlines()) == 1
    return str(refused)


def test_a_ref_is_the_configured_system_at_that_commit(project: Project, repository: Repository) -> None:
    variant = configured(project, "git:old")
    assert variant.services["backend"].settings["WORK"] == "0.002"  # the service's own, of no variant
    source = variant.sources["backend"]
    assert (source.ref, source.commit) == ("old", repository.git("rev-parse", "old^{commit}"))
    assert source.tree == repository.git("rev-parse", "old^{tree}")
    assert configured(project, "after").sources == {}


def test_a_service_runs_in_the_export_and_not_in_the_working_tree(
    project: Project, stacks: Stacks, repository: Repository, tmp_path: Path
) -> None:
    for origin, told in (("git:old", b"done"), ("git:HEAD", b"done anew")):
        (project.folder / "service.py").write_text("raise SystemExit('the working tree ran')")
        stack = stacks.open(project, origin)
        stack.restart()
        assert stack.service("backend").get("/work").body == told
        assert set(stack.variant.sources) == {"backend"}
        stack.close()
    exports = list((tmp_path / "sources" / "before").iterdir())
    assert {path.name for path in exports} == {repository.git("rev-parse", ref) for ref in ("old^{commit}", "HEAD")}


def test_a_variant_may_name_a_ref_and_settings(tiny: Path, repository: Repository, stacks: Stacks) -> None:
    project = with_variants(tiny, '.backend]\nref = "old"\nsettings = { WORK = 0.5 }')
    variant = configured(project, "after")
    assert (variant.services["backend"].settings["WORK"], variant.sources["backend"].ref) == ("0.5", "old")
    assert configured(project, "before").sources == {}
    assert "no such commit" in complaint(with_variants(tiny, '.backend]\nref = "nowhere"'), "after")
    assert "git:-x is no ref" in complaint(with_variants(tiny, '.backend]\nref = "-x"'), "after")


def test_two_refs_of_one_commit_are_one_export(tiny: Path, repository: Repository, tmp_path: Path) -> None:
    store = '[system.services.store]\ncommand = ["x"]\nready = "/"\ndirectory = "scenarios"\n'
    project = with_variants(tiny, '.backend]\nref = "main"\n[system.variants.after.store]\nref = "HEAD"', store)
    folders = configured(project, "after").folders(project, tmp_path / "exports", {})
    (export,) = (tmp_path / "exports").iterdir()
    assert folders == {"backend": export / "tiny", "store": export / "tiny" / "scenarios"}


def test_a_folder_that_the_commit_does_not_have(tiny: Path, repository: Repository) -> None:
    (tiny / "moved").mkdir()
    (tiny / "moved" / "service.py").write_text("")
    project = with_variants(tiny, "]", 'directory = "moved"\n')
    assert "tiny/moved does not exist there" in complaint(project, "git:HEAD")
    project = with_variants(tiny, "]", 'directory = "../tiny/./scenarios/.."\n')
    assert str(configured(project, "git:HEAD").taken["backend"].path) == "tiny"


def test_services_elsewhere_are_not_taken_from_a_commit(tiny: Path, repository: Repository, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent
    project = with_variants(tiny, "]", f'directory = "{elsewhere}"\n')
    assert "nothing is taken from the commit" in complaint(project, "git:HEAD")
    project = with_variants(tiny, '.backend]\nref = "old"', f'directory = "{elsewhere}"\n')
    assert "is not in the repository" in complaint(project, "after")
    store = f'[system.services.store]\ncommand = ["x"]\nready = "/"\ndirectory = "{elsewhere}"\n'
    variant = configured(with_variants(tiny, "]", store), "git:HEAD")
    assert set(variant.taken) == {"backend"}


def test_no_repository(tiny: Path) -> None:
    assert "is in no git repository" in complaint(load(tiny / "harness.toml"), "git:HEAD")


def test_two_names_for_the_same_are_refused(tiny: Path, project: Project, repository: Repository) -> None:
    told = identical(project, "git:HEAD", "git:main")
    assert told.startswith("variants git:HEAD and git:main are identical: the same commands and settings of backend, ")
    assert told.endswith("; for an A/A run give the same name twice")
    assert identical(project, "git:HEAD", "git:HEAD") == ""  # an A/A run was asked for
    assert identical(project, "git:old", "git:HEAD") == ""
    repository.commit("nothing changed")
    assert "all from tree" in identical(project, "git:HEAD", "git:HEAD~1")
    assert identical(project, "before", "git:HEAD") == ""  # the working tree may hold what no commit has
    assert "from the working tree" in identical(with_variants(tiny, "]"), "before", "after")


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ("]", True),
        (".backend.settings]\nWORK = 0.002", True),
        (".backend.settings]\nTOKEN = '{secret}'", True),
        (".backend.settings]\nWORK = 0.003", False),
        (".backend.settings]\nMORE = ''", False),
        (".backend.settings]\nTOKEN = '{{secret}}'", False),
        (".backend]\ncommand = ['{python}', 'service.py', '{backend.port}']", False),
        (".backend]\ncommand = ['{python}', 'service.py', '{port}']", True),
        (".backend]\nref = 'old'", False),
    ],
)
def test_what_makes_a_difference(tiny: Path, repository: Repository, after: str, same: object) -> None:
    assert bool(identical(with_variants(tiny, after), "before", "after")) is same


def test_the_interpreter_by_another_name_is_no_difference(tiny: Path) -> None:
    project = with_variants(tiny, f'.backend]\ncommand = ["{sys.executable}", "service.py", "{{port}}"]')
    assert identical(project, "before", "after")


def test_reports_say_what_ran_and_what_did_not(project: Project, repository: Repository) -> None:
    def notes(before: str, after: str) -> tuple[str, ...]:
        return notes_of_sources(
            project, {"before": configured(project, before), "after": configured(project, after)}, "local"
        )

    assert notes("before", "after") == ()
    old, new = (repository.git("rev-parse", "--short=12", ref) for ref in ("old^{commit}", "HEAD"))
    first, second = notes("git:old", "git:HEAD")
    assert first.startswith(f"before: backend ran in a clean export of commit {old} (old, tree ")
    assert second.startswith(f"after: backend ran in a clean export of commit {new} (HEAD, tree ")
    (project.reports / "out").mkdir(parents=True)
    (project.reports / "out" / "before.json").write_text("")
    assert len(notes("git:old", "git:HEAD")) == 2  # the results of sessions are no change of the source
    repository.put("outside.txt", "")
    assert notes("git:old", "git:HEAD")[2:] == (
        "The working tree has uncommitted changes; they are not in git:old, git:HEAD.",
    )
    assert notes("git:old", "after")[1:] == ("The working tree has uncommitted changes; they are not in git:old.",)
    shutil.rmtree(project.reports)
    repository.commit("only outside the service's folder")
    assert notes("git:HEAD~1", "git:HEAD")[2:] == (
        "The folders of backend are the same at both commits: only files outside them differ.",
    )


def test_what_is_installed_in_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder, editable in (("mine", "re po", True), ("copied", "re po", False), ("other", "else", True)):
        info = tmp_path / "site" / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        url = (tmp_path / folder / "src").as_uri()
        (info / "direct_url.json").write_text(json.dumps({"url": url, "dir_info": {"editable": editable}}))
    broken = tmp_path / "site" / "broken-1.dist-info"
    broken.mkdir()
    (broken / "direct_url.json").write_text("[")
    found = importlib.metadata.distributions(path=[str(tmp_path / "site")])
    monkeypatch.setattr("harness.measure.variants.distributions", lambda: found)
    assert list(installed_in_place(tmp_path / "re po")) == ["mine"]


@pytest.mark.parametrize(
    ("url", "asks", "refused"),
    [
        ("http://127.0.0.1:1", "{backend.url}", True),
        ("http://LOCALHOST:1", "{backend.host}", True),
        ("http://127.8.0.1:1", "{backend.port}", True),
        ("http://192.0.2.1:1", "{backend.url}", False),
        ("http://127.0.0.1:1", "{{backend.url}}", False),
        ("http://127.0.0.1:1", "{port}", False),
    ],
)
def test_no_container_is_told_an_address_that_is_its_own(tiny: Path, url: str, asks: str, refused: object) -> None:
    front = f"""
[system.services.front]
ready = "/"
settings = {{ BACKEND = "{asks}" }}
container = {{ image = "x:1", port = 80 }}
"""
    project = with_variants(tiny, f'.backend]\nurl = "{url}"', front)
    if not refused:
        assert configured(project, "after", "docker").urls == {"backend": url}
        return
    with pytest.raises(
        HarnessError, match=r"services\.front: asks backend at .*, which no container reaches"
    ) as caught:
        configured(project, "after", "docker")
    assert caught.value.code == ExitCode.USAGE
    assert configured(project, "before", "docker").urls == {}


IN_BOTH = "container = { image = 'x:1', port = 80 }\n"


@pytest.mark.parametrize(
    ("after", "kind", "told"),
    [
        (".backend]\nimage = 'x:2'", "local", "variants.after.backend.image: a local process does not use it"),
        (".backend]\ncommand = ['y']", "docker", "variants.after.backend.command: a container does not use it"),
    ],
)
def test_what_the_stack_does_not_use_is_refused(tiny: Path, after: str, kind: Kind, told: str) -> None:
    project = with_variants(tiny, after, IN_BOTH)
    with pytest.raises(HarnessError, match=re.escape(told)) as caught:
        configured(project, "after", kind)
    assert caught.value.code == ExitCode.USAGE
    assert configured(project, "before", kind).services
    other: Kind = "docker" if kind == "local" else "local"
    assert identical(project, "before", "after", other) == ""


@pytest.mark.parametrize(
    ("kind", "change", "refused"),
    [
        ("local", {"container": Container(image="x:2", port=80)}, True),
        ("docker", {"container": Container(image="x:2", port=80)}, False),
        ("local", {"command": ("y",)}, False),
        ("docker", {"command": ("y",)}, True),
        ("docker", {"directory": "elsewhere"}, True),
    ],
)
def test_only_what_the_stack_uses_makes_a_difference(
    tiny: Path, kind: Kind, change: dict[str, object], refused: object
) -> None:
    project = with_variants(tiny, "]", IN_BOTH)
    before, after = (configured(project, origin, kind) for origin in ("before", "after"))
    after = replace(after, services={"backend": after.services["backend"].model_copy(update=change)})
    with pytest.raises(HarnessError, match="are identical") if refused else nullcontext():
        refuse_identical(project, before, after, kind)


def test_two_names_for_one_address_are_the_same(tiny: Path) -> None:
    project = with_variants(tiny, '.backend]\nurl = "http://h:1"\n[system.variants.live.backend]\nurl = "http://h:1"')
    assert "identical" in identical(project, "after", "live")
    assert identical(project, "before", "live") == ""
