"""Checks what lies in the built distributions: python3 .ci/check_distributions.py dist

The wheel must hold what a user needs and no sources of the compiled core; the source distribution must hold
everything in the repository that building and testing need.
"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

# In the repository, but of no use to who has the source distribution: its tests run without the recordings.
NOT_IN_SDIST = ("benchmarks/fixtures/*.mkv", ".ci/*", ".gitignore", ".gitattributes")


def missing_from_sdist(sdist: Path) -> list[str]:
    with tarfile.open(sdist) as archive:
        held = {"/".join(PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files"], check=True, capture_output=True, text=True
    ).stdout.split("\n")
    wanted = {name for name in tracked if name and not any(PurePosixPath(name).match(p) for p in NOT_IN_SDIST)}
    return sorted(wanted - held)


def faults_of_wheel(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    sources = {str(path.relative_to("src")) for path in Path("src/fastframe").rglob("*") if path.is_file()}
    wanted = {name for name in sources if name.endswith((".py", ".pyi", ".mkv", "SPEC.md", "py.typed"))}
    faults = [f"lacks {name}" for name in sorted(wanted - held)]
    faults += [f"holds {name}" for name in sorted(held) if name.endswith((".c", ".h", ".pyx", ".pxd", ".o"))]
    compiled = sorted(name.split(".")[0] for name in held if name.endswith((".so", ".pyd")))
    expected = {f"fastframe/{path.stem}" for path in Path("cython_ext").glob("*.pyx")}
    expected |= {str(path.relative_to("src").with_suffix("")) for path in Path("src").rglob("*.pxd")}
    if compiled != sorted(expected):
        faults.append(f"holds other compiled modules than it should: {compiled}")
    if not any(name.endswith("/licenses/LICENSE") for name in held):
        faults.append("lacks the licence")
    outside = {name for name in held if not name.startswith(("fastframe/", "fastframe-"))}
    return faults + [f"puts {name} outside the package" for name in sorted(outside)]


def main() -> None:
    folder = Path(sys.argv[1])
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    faults = [f"{sdist.name} lacks {name}" for name in missing_from_sdist(sdist)]
    faults += [f"{wheel.name} {fault}" for fault in faults_of_wheel(wheel)]
    if faults:
        sys.exit("\n".join(faults))
    print("the contents of both are as they should be")


if __name__ == "__main__":
    main()
