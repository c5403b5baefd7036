"""Configurations: what is read, and what a user is told about a mistake."""

from pathlib import Path

import pytest

from harness.configuration.find import find
from harness.configuration.load import load, start_order, with_images
from harness.configuration.placeholders import fill, named
from harness.errors import ExitCode, HarnessError

SERVICE = '[system.services.backend]\ncommand = ["run"]\nready = "/ready"\n'
VARIANTS = "[system.variants.before]\n[system.variants.after]\n"
SOUND = SERVICE + VARIANTS


def written(folder: Path, text: str, name: str = "harness.toml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(HarnessError) as caught:
        load(written(folder, text))
    assert caught.value.code == ExitCode.USAGE
    message = str(caught.value)
    assert all(line.startswith(str(folder)) for line in message.splitlines()), message
    return message.replace(f"{folder}/", "")


def test_a_sound_configuration(tmp_path: Path) -> None:
    project = load(
        written(tmp_path, SOUND + "[system.variants.after.backend.settings]\nSIZE = 3\nFAST = true\nRATE = 0.5\n")
    )
    assert project.system.variants["after"]["backend"].settings == {"SIZE": "3", "FAST": "true", "RATE": "0.5"}
    assert project.reports == tmp_path / "reports"
    assert project.scenarios == (tmp_path / "scenarios",)
    assert project.system_folder == tmp_path


def test_pyproject_and_a_system_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "fixtures").mkdir()
    written(tmp_path / "fixtures", SOUND.replace("system.", ""), "system.toml")
    file = written(tmp_path, '[tool.harness]\nsystem = "fixtures/system.toml"\n', "pyproject.toml")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    assert find(tmp_path / "deep" / "er") == file
    project = load(file)
    assert (project.folder, project.system_folder) == (tmp_path, tmp_path / "fixtures")


def test_no_configuration_anywhere(tmp_path: Path) -> None:
    written(tmp_path, "[tool.other]\n", "pyproject.toml")
    with pytest.raises(HarnessError, match="no configuration: neither "):
        find(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SOUND + "retries = 3\n", "harness.toml: system.variants.after.retries: input should be"),
        ("sistem = 1\n" + SOUND, "harness.toml: sistem: unknown key; did you mean system?"),
        (SOUND.replace("command", "comand"), "system.services.backend.comand: unknown key; did you mean command?"),
        (SOUND.replace('["run"]', "[]"), "system.services.backend: a command or a container has to be given"),
        (SOUND.replace('"/ready"', '"ready"'), "services.backend.ready: string should match"),
        (SOUND.replace("ready =", "ready_within = -1\nready ="), "ready_within: input should be greater"),
        (SOUND + "[gate]\nerror_budget = 5\n", "gate.error_budget: input should be less than 0.5, found 5"),
        (SOUND + "[metrics]\nx = {floor = 'a'}\n", "harness.toml: metrics.x.floor: input should be a valid number"),
        (SERVICE, "harness.toml: system.variants: missing"),
        ("", "harness.toml: system: missing"),
        ('system = "nowhere.toml"\n', "nowhere.toml: cannot be read: No such file or directory"),
        ("system = \n", "harness.toml: not valid TOML: Invalid value (at line 1, column 10)"),
        (SOUND.replace("ready =", 'needs = ["db"]\nready ='), "backend.needs: no service 'db'; there are backend"),
        (SOUND.replace("ready =", 'needs = ["backend"]\nready ='), "services: backend need each other in a circle"),
        (SOUND + "[system.variants.x.db]\n", "variants.x: no service 'db'; there are backend"),
        (SOUND + "[system.services.db]\ncommand = ['x']\nready = '/'\nlifetime = 'session'\nneeds = ['backend']\n",
         "services.db.needs: lives a session but needs backend, which lives a round"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_file_key_and_what_is_allowed(tmp_path: Path, text: str, told: str) -> None:
    assert told in complaint(tmp_path, text)


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = SOUND.replace("ready =", "colour = 1\nready_within = 'soon'\nready =")
    assert len(complaint(tmp_path, text).splitlines()) == 2


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarnessError, match="not valid TOML"):
        load(tmp_path / "harness.toml")


def test_services_start_after_those_they_need(tmp_path: Path) -> None:
    text = SOUND.replace("ready =", 'needs = ["db", "llm"]\nready =')
    text += "".join(f"[system.services.{name}]\ncommand = ['x']\nready = '/'\n" for name in ("llm", "db"))
    file = written(tmp_path, text)
    order = start_order(load(file).system, file)
    assert order.index("backend") > max(order.index("db"), order.index("llm"))


def test_placeholders() -> None:
    values = {"port": "1", "db.url": "http://h:2"}
    assert fill("{port} {db.url} {{port}}", values, "here") == "1 http://h:2 {port}"
    assert fill('{"json": 1}', values, "here") == '{"json": 1}'
    assert named("{port} {db.url} {{host}} { x }") == {"port", "db.url"}
    with pytest.raises(HarnessError, match=r"here: unknown placeholder \{prt\}; allowed: db.url, port"):
        fill("{prt}", values, "here")


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ("[14, 14]", "rounds.looks: value error, each look has to come after more rounds than the one before it"),
        ("[20, 14]", "rounds.looks: value error, each look has to come after more rounds than the one before it"),
        ("[]", "rounds.looks: tuple should have at least 1 item"),
        ("[0, 4]", "rounds.looks.0: input should be greater than or equal to 1, found 0"),
    ],
)
def test_looks_are_a_plan(tmp_path: Path, looks: str, told: str) -> None:
    assert told in complaint(tmp_path, f"rounds.looks = {looks}\n{SOUND}")


@pytest.mark.parametrize("url", ["http://h:0", "http://h:65536", "http://h:99999", "http://h:00000"])
def test_an_address_has_a_port_that_can_be(tmp_path: Path, url: str) -> None:
    told = complaint(tmp_path, f'{SOUND}[system.variants.live.backend]\nurl = "{url}"\n')
    what = "value error, the port has to be from 1 to 65535"
    assert told == f"harness.toml: system.variants.live.backend.url: {what}, found '{url}'"


@pytest.mark.parametrize("url", ["http://h", "http://h?x:80", "http://h#x:80", "http://h :80", "http://u@h:80"])
def test_an_address_is_host_and_port(tmp_path: Path, url: str) -> None:
    told = complaint(tmp_path, f'{SOUND}[system.variants.live.backend]\nurl = "{url}"\n')
    assert told.startswith("harness.toml: system.variants.live.backend.url: string should match pattern")


@pytest.mark.parametrize("key", ["command = ['x']", "settings = {A = 1}", "image = 'x'", "ref = 'v1'"])
def test_what_runs_already_cannot_be_changed(tmp_path: Path, key: str) -> None:
    told = complaint(tmp_path, f'{SOUND}[system.variants.live.backend]\nurl = "http://h:1"\n{key}\n')
    what = f"{key.partition(' ')[0]} cannot be given beside url: it runs already"
    assert told == f"harness.toml: system.variants.live.backend: {what}"


def test_rounds_and_controls_have_defaults_that_can_be_changed(tmp_path: Path) -> None:
    configuration = load(written(tmp_path, SOUND)).configuration
    assert (configuration.rounds.looks, configuration.rounds.time_limit) == ((14, 20, 28), 600.0)
    assert configuration.controls.enabled
    text = f"rounds.looks = [3, 9]\nrounds.time_limit = 60\ncontrols.enabled = false\n{SOUND}"
    changed = load(written(tmp_path, text)).configuration
    assert (changed.rounds.looks, changed.rounds.time_limit, changed.controls.enabled) == ((3, 9), 60.0, False)


def test_other_images_for_a_run(tmp_path: Path) -> None:
    text = SOUND.replace('ready = "/ready"', 'ready = "/ready"\ncontainer = {image = "a:1", port = 80}')
    project = load(written(tmp_path, text))
    changed = with_images(project, ["backend=b:2"]).system.services["backend"].container
    assert changed is not None
    assert (changed.image, changed.port) == ("b:2", 80)
    project = load(written(tmp_path, f'{text}[system.variants.packed.backend]\nimage = "c:3"\nsettings = {{A = 1}}\n'))
    override = with_images(project, ["backend=b:2"]).system.variants["packed"]["backend"]
    assert (override.image, override.settings) == (None, {"A": "1"})
    for mistake in ("backend", "backend=", "cache=c:3"):
        with pytest.raises(HarnessError, match=rf"--image {mistake}: .*these have one: backend") as caught:
            with_images(project, [mistake])
        assert caught.value.code == ExitCode.USAGE
