"""Whatever is wrong outside of the program is one line on stderr and exit code 2, never a traceback."""

import inspect
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fastframe
from fastframe.cli.app import COMMANDS, load

if TYPE_CHECKING:
    from conftest import Run

ROWS = [
    ("encode missing.mkv out.ffs", r"missing\.mkv is neither a file nor a bundled clip \(.+\)"),
    ("encode text.txt out.ffs", r"text\.txt holds no video"),
    ("encode noise.mkv out.ffs", r"noise\.mkv is no video that can be read: .+"),
    ("encode noise.ffs out.ffs", r"noise\.ffs is no fastframe recording"),
    ("encode folder out.ffs", r"cannot read folder: Is a directory"),
    ("encode video.mkv out.mp4", r"out\.mp4: the name of a recording must end in \.ffs"),
    ("encode video.mkv missing/out.ffs", r"cannot write missing/out\.ffs: No such file or directory"),
    ("encode video.mkv folder.ffs", r"cannot write folder\.ffs: it is a folder"),
    ("decode missing.ffs out.mkv", r"cannot read missing\.ffs: No such file or directory"),
    ("decode video.mkv out.mkv", r"video\.mkv is no fastframe recording"),
    ("decode noise.ffs out/", r"noise\.ffs is no fastframe recording"),
    ("decode empty.ffs out/", r"empty\.ffs is no fastframe recording"),
    ("decode future.ffs out/", r"future\.ffs is a recording of version 99, but .+"),
    ("decode junk.ffs out.mkv", r"junk\.ffs is damaged: packet 0 at offset 8: .+; nothing was written"),
    (
        "decode long.ffs out.mkv",
        r"long\.ffs is damaged at offset 8: a packet of \d+ bytes .+; nothing was written",
    ),
    ("decode recording.ffs out.avi", r"out\.avi is neither a video \(\.mkv\) nor a folder .+"),
    ("decode recording.ffs missing/out.mkv", r"cannot write missing/out\.mkv: No such file or directory"),
    ("decode recording.ffs missing/out/", r"cannot make the folder missing/out: No such file or directory"),
    ("decode recording.ffs noise.mkv/", r"noise\.mkv is a file, not a folder"),
    ("info missing.ffs", r"cannot read missing\.ffs: No such file or directory"),
    ("info noise.ffs", r"noise\.ffs is no fastframe recording"),
    ("info junk.ffs", r"junk\.ffs is damaged: packet 0 at offset 8: .+; these are the 0 packets before it"),
    ("info recording.ffs --heatmap missing/h.png", r"cannot write missing/h\.png: No such file or directory"),
    ("demo --display :99999", r"cannot capture display :99999: .+"),
    ("demo --display nonsense --json", r"cannot capture display nonsense: .+"),
    ("demo --fixture missing.mkv", r"missing\.mkv is neither a file nor a bundled clip \(.+\)"),
    ("demo --fixture noise.ffs --json", r"noise\.ffs is no fastframe recording"),
    ("demo --fixture nothing.ffs --seconds 1", r"nothing\.ffs holds no frames"),
    ("encode nothing.ffs out.ffs", r"nothing\.ffs holds no frames"),
    ("record out.mkv", r"no display to capture: the environment variable DISPLAY is not set"),
    ("record out.mkv --display :99999", r"cannot capture display :99999: .+"),
    ("record out.mkv --display :99999 --region 0,0,0x5", r"--region wants X,Y,WxH in pixels, .+, not '0,0,0x5'"),
    ("displays", r"no display to capture: the environment variable DISPLAY is not set"),
    ("displays --display :99999 --json", r"cannot capture display :99999: there is no such display.*"),
    ("capture --display nonsense", r"cannot capture display nonsense: displays have names such as :0 or host:0"),
    ("capture --display :99999 --json", r"cannot capture display :99999: there is no such display.*"),
    ("capture --mask 1,2,3", r"--mask wants X,Y,WxH in pixels, such as 100,80,640x480, not '1,2,3'"),
    ("capture --mask-window firefox", r"--mask-window wants class:PATTERN, .+ or id:NUMBER, not 'firefox'"),
    ("capture --window id:zero", r"--window wants class:PATTERN, .+ or id:NUMBER, not 'id:zero'"),
    ("capture --monitor 1 --window title:x", r"choose one of --monitor, --region and --window"),
    (
        "capture --display :99999 --source mss --mask-window title:x",
        r"to mask a window of title x takes the X11 source",
    ),
    ("demo --fixture video.mkv --mask 0,0,9x9", r"--fixture does not go together with options about the screen, .+"),
    ("demo --fixture video.mkv --display :0", r"--fixture does not go together with options about the screen, .+"),
    ("view ws://127.0.0.1:1 --no-window", r"no connection to ws://127\.0\.0\.1:1: .+"),
    ("view ws://127.0.0.1:1 --no-window --json", r"no connection to ws://127\.0\.0\.1:1: nothing listens there; .+"),
    ("view ws://127.0.0.1:0 --no-window", r"ws://127\.0\.0\.1:0: port 0 is for listening only; .+"),
    ("view tcp://a..b:1 --no-window", r"'tcp://a\.\.b:1' is no address: .+"),
    ("view ws://127.0.0.1:1 --out out.avi", r"out\.avi is neither a video \(\.mkv\) nor a folder .+"),
    ("view ws://127.0.0.1:1 --out noise.mkv/", r"noise\.mkv is a file, not a folder"),
    ("decode recording.ffs -", r"pictures cannot be written to standard output; .+"),
    ("view ws://127.0.0.1:1 --no-window --ca missing.pem", r"cannot read missing\.pem: No such file or directory"),
    ("view ws://127.0.0.1:1 --no-window --ca text.txt", r"text\.txt holds no certificate: .+"),
    ("share --consent view --cert missing.pem", r"cannot read missing\.pem: No such file or directory"),
    ("share --consent view --cert text.txt --key missing.pem", r"cannot read missing\.pem: No such file or directory"),
    ("share --consent view --cert text.txt", r"text\.txt is of no use as a certificate: .+"),
    ("share --consent view --key text.txt", r"--key needs --cert"),
    ("record out.mp4", r"out\.mp4: the name of the video must end in \.mkv"),
]


@pytest.fixture
def litter(tmp_path: Path, video: Path, recording: Path) -> Path:
    """A folder with good and bad files of all kinds."""
    header = recording.read_bytes()[:7]
    (tmp_path / "nothing.ffs").write_bytes(header + b"\1")
    (tmp_path / "text.txt").write_text("nothing to see\n" * 100)
    (tmp_path / "noise.mkv").write_bytes(bytes(range(256)) * 50)
    (tmp_path / "noise.ffs").write_bytes(bytes(range(256)) * 50)
    (tmp_path / "empty.ffs").touch()
    (tmp_path / "future.ffs").write_bytes(header + b"\x63")
    (tmp_path / "junk.ffs").write_bytes(header + b"\1" + (50).to_bytes(12, "little") + bytes(range(50)))
    (tmp_path / "long.ffs").write_bytes(header + b"\1" + (2**31).to_bytes(12, "little") + bytes(50))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.ffs").mkdir()
    return tmp_path


# Runs each of many command lines as a process that has its modules already: to import them takes it most of a second.
IN_CHILDREN = """
import json, os, sys
import av, fastframe.capture
from fastframe.cli import main
from fastframe.cli.app import COMMANDS, load

for name in COMMANDS:
    load(name)

outputs = sys.argv[1]
for number, arguments in enumerate(json.load(sys.stdin)):
    child = os.fork()
    if not child:
        for stream in 1, 2:
            os.dup2(os.open(f"{outputs}/{number}.{stream}", os.O_WRONLY | os.O_CREAT), stream)
        sys.argv = ["fastframe", *arguments]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_bad_input_is_one_line_and_exit_code_2(litter: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = {path.name for path in litter.iterdir()}
    outputs = tmp_path_factory.mktemp("outputs")
    finished = subprocess.run(
        [sys.executable, "-u", "-W", "error::ResourceWarning", "-c", IN_CHILDREN, str(outputs)],
        input=json.dumps([arguments.split() for arguments, _ in ROWS]),
        cwd=litter,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    codes = [int(line) for line in finished.stdout.split()]
    for number, ((arguments, complaint), code) in enumerate(zip(ROWS, codes, strict=True)):
        stdout, stderr = ((outputs / f"{number}.{stream}").read_text() for stream in (1, 2))
        assert code == 2, (arguments, code, stderr)
        assert re.fullmatch(f"fastframe: {complaint}\n", stderr), (arguments, stderr)
        if "--json" in arguments or arguments.startswith("view"):
            assert stdout == "", arguments
    assert {path.name for path in litter.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("demo", "--seconds", "0"),
        ("demo", "--effort", "heroic"),
        ("record", "out.mkv", "--fps", "0"),
        ("capture", "--source", "magic"),
        ("capture", "--load", "2"),
        ("encode", "video.mkv"),
        ("unknown",),
    ],
)
def test_wrong_usage_is_exit_code_2_with_a_hint(run: "Run", arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("Usage: fastframe")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("module", "arguments", "complaint"),
    [
        ("typer", "--version", "the command line needs typer"),
        ("rich", "demo", "the command line needs rich"),
        ("av", "demo", "videos and PNG files need PyAV"),
        ("av", "encode video.mkv out.ffs", "videos and PNG files need PyAV"),
        ("av", "decode recording.ffs out.mkv", "videos and PNG files need PyAV"),
        ("av", "decode recording.ffs out/", "videos and PNG files need PyAV"),
        ("av", "info recording.ffs --heatmap out.png", "videos and PNG files need PyAV"),
    ],
)
def test_a_missing_extra_is_one_line_that_names_the_installation(
    recording: Path, module: str, arguments: str, complaint: str
) -> None:
    # None in sys.modules is how Python marks a module that must not be imported.
    script = f"import sys; sys.modules[{module!r}] = None; from fastframe.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments.split()],
        cwd=recording.parent,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr == f"fastframe: {complaint}: pip install 'fastframe[cli]'\n"
    assert not list(recording.parent.glob("out*"))


@pytest.mark.parametrize(
    "arguments",
    [
        "encode video.mkv old.ffs -y",
        "decode recording.ffs old.mkv -y",
        "info recording.ffs --heatmap old.png -y",
    ],
)
def test_a_full_disk_is_one_line_and_the_old_file_stays(command: list[str], recording: Path, arguments: str) -> None:
    folder = recording.parent
    old = folder / arguments.split()[-2]
    old.write_bytes(b"earlier")
    before = sorted(folder.iterdir())
    result = subprocess.run(
        [*command, *arguments.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert result.returncode == 2
    assert result.stderr == f"fastframe: cannot write {old.name}: File too large\n"
    assert old.read_bytes() == b"earlier"
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("arguments", ["info recording.ffs", "info recording.ffs --json", "--version"])
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_behind_stdout_is_one_line(
    command: list[str], recording: Path, arguments: str, buffered: str
) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*command, *arguments.split()],
            cwd=recording.parent,
            env={**os.environ, "PYTHONUNBUFFERED": buffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (result.returncode, result.stderr) == (2, "fastframe: No space left on device\n")


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_that_has_gone_is_no_fault(command: list[str], recording: Path, buffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [*command, "info", recording.name, "--json"],
        cwd=recording.parent,
        env={**os.environ, "PYTHONUNBUFFERED": buffered},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, "")


def test_a_name_that_is_too_long_is_one_line(run: "Run", recording: Path) -> None:
    result = run("encode", recording.name, "x" * 300 + ".ffs")
    assert (result.returncode, result.stderr) == (2, "fastframe: File name too long\n")


def test_a_name_is_one_line_whatever_is_in_it(run: "Run", recording: Path) -> None:
    """Neither does it break the line or move the cursor, nor is it markup, nor a traceback since it is no text."""
    name, shown = "[red]\x1b[2J\n\udcff.ffs", r"'[red]\x1b[2J\n\udcff.ffs'"
    missing = run("decode", name, "out.mkv")
    assert (missing.returncode, missing.stderr) == (2, f"fastframe: cannot read {shown}: No such file or directory\n")
    no_clip = run("demo", "--fixture", name)
    assert no_clip.stderr.startswith(f"fastframe: {shown} is neither a file nor a bundled clip (")
    recording.rename(recording.with_name(name))
    refused = run("encode", "video.mkv", name)
    assert (refused.returncode, refused.stderr) == (2, f"fastframe: {shown} exists; --force overwrites it\n")
    again = run("encode", "video.mkv", name, "--force")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith(f"{shown}: 6 frames, ")
    info = run("info", name)
    assert (info.returncode, info.stderr) == (0, "")
    assert info.stdout.splitlines()[0].strip() == shown
    demo = run("demo", "--fixture", name)
    assert (demo.returncode, demo.stderr) == (0, "")
    assert demo.stdout.splitlines()[0].startswith(f"{shown}  200x150  ")
    assert json.loads(run("info", name, "--json").stdout)["file"] == name


def test_no_name_is_not_the_folder_that_one_is_in(run: "Run", recording: Path) -> None:
    before = set(recording.parent.iterdir())
    result = run("decode", recording.name, "", "--force")
    assert (result.returncode, result.stderr) == (2, "fastframe: a video or a folder must have a name\n")
    for arguments in (["info", ""], ["encode", "", "out.ffs"], ["demo", "--fixture", ""]):
        result = run(*arguments)
        assert (result.returncode, result.stderr) == (2, "fastframe: a recording, video or clip must have a name\n")
    assert set(recording.parent.iterdir()) == before


def test_without_stdin_nothing_is_overwritten(command: list[str], recording: Path) -> None:
    result = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *command, "encode", "video.mkv", recording.name],
        cwd=recording.parent,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (2, "fastframe: recording.ffs exists; --force overwrites it\n")


def test_version(run: "Run") -> None:
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"fastframe {fastframe.__version__}\n")


@pytest.mark.parametrize("module", ["typer", "fastframe.cli.app", "fastframe.cli.info", "numpy", "fastframe._core"])
def test_ctrl_c_while_modules_are_loaded_is_quiet(module: str) -> None:
    script = f"""
import sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, CtrlC())
from fastframe.cli import main  # as the installed command does
main()
"""
    result = subprocess.run([sys.executable, "-c", script, "info", "-"], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_of_each_command_what_its_own_help_begins_with(name: str) -> None:
    _, summary = COMMANDS[name]
    assert inspect.cleandoc(load(name).help).partition("\n\n")[0] == summary


def test_help_lists_the_commands_and_says_what_happens_to_existing_files(run: "Run") -> None:
    overview = run("--help").stdout
    for command in ("demo", "displays", "capture", "record", "encode", "decode", "info"):
        assert command in overview
    for command in ("encode", "decode", "record"):
        assert "--force" in run(command, "--help").stdout


def test_the_installed_command_is_the_same(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("fastframe")
    result = subprocess.run([script, "--version"], capture_output=True, text=True, env={**os.environ})
    assert result.stdout == f"fastframe {fastframe.__version__}\n"
