"""Builds the compiled core; everything else about the package is in pyproject.toml."""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

KERNELS = Path("cython_ext/kernels")
sources = sorted(str(path) for path in KERNELS.glob("*.c"))
headers = sorted(str(path) for path in KERNELS.glob("*.h"))
# `depends` puts these files into the sdist and rebuilds the extensions when one of them changes.
depends = sorted(["setup.py", *sources, *headers, *(str(path) for path in Path("cython_ext").glob("*.p*"))])

if sys.byteorder != "little":
    sys.exit("fastframe supports little-endian machines only: pixels are read as 32-bit words")

if sys.platform == "win32":
    compile_args = typed_compile_args = ["/std:c11", "/O2"]
    link_args = []
else:
    compile_args = ["-std=c11", "-O3", "-g0", "-fvisibility=hidden"]
    link_args = []
    # FASTFRAME_SANITIZE=1 builds for the address and undefined-behaviour sanitizers (see CONTRIBUTING.md).
    if os.environ.get("FASTFRAME_SANITIZE") == "1":
        sanitizers = "-fsanitize=address,undefined"
        compile_args += ["-O1", "-g", "-fno-omit-frame-pointer", sanitizers, "-fno-sanitize-recover=all"]
        # Python passes -fwrapv, which would hide signed overflow.
        compile_args += ["-fno-wrapv"]
        link_args += [sanitizers]
    # Calls of Python's functions for the most part: no faster with more, and compiled in half the time.
    typed_compile_args = [*compile_args, "-O1"]


# Modules of the package that are compiled as they are; the types of one use those of others.
TYPES = sorted(Path("src/fastframe/stream").glob("*.pxd"))


def extension(name: str) -> Extension:
    """A module from `cython_ext`."""
    return Extension(
        f"fastframe.{name}",
        sources=[f"cython_ext/{name}.pyx"],
        depends=depends,
        include_dirs=[str(KERNELS)],
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )


def typed(types: Path) -> Extension:
    """A module of the package that is compiled with the types in the .pxd beside it."""
    source = types.with_suffix(".py")
    return Extension(
        ".".join(types.relative_to("src").with_suffix("").parts),
        sources=[str(source)],
        depends=["setup.py", *(str(each) for each in TYPES)],
        extra_compile_args=typed_compile_args,
        extra_link_args=link_args,
    )


# A static library, so that the core and the hooks by which tests and benchmarks call its kernels one by one share its
# objects: each is compiled once. Every extension is linked with it; one that calls none of it (`_xcb`) takes nothing.
kernels = {
    "sources": sources,
    "include_dirs": [str(KERNELS)],
    "cflags": compile_args,
    "obj_deps": {"": [*headers, "setup.py"]},
}


class BuildExtensions(build_ext):
    """Compiles the kernels first, also when it is called by itself."""

    def run(self) -> None:
        self.run_command("build_clib")
        super().run()


extensions = [extension("_core"), extension("_frames"), extension("_kernels"), extension("_residuals")]
if sys.platform != "win32":
    extensions.append(extension("_xcb"))

directives = {"language_level": 3, "embedsignature": True}

setup(
    cmdclass={"build_ext": BuildExtensions},
    libraries=[("fastframe_kernels", kernels)],
    ext_modules=[
        *cythonize(
            extensions,
            build_dir="build/cython",
            compiler_directives={**directives, "boundscheck": False, "wraparound": False, "cdivision": True},
        ),
        # Nothing but the types differs from Python here, and `None` where there is none is an error as there.
        *cythonize(
            [typed(path) for path in TYPES],
            build_dir="build/cython",
            compiler_directives={**directives, "embedsignature": False, "annotation_typing": False, "nonecheck": True},
        ),
    ],
    # The extensions, each of one file, are compiled beside each other.
    options={"build_ext": {"parallel": True}},
)
