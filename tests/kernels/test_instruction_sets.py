"""An instruction set stays forced until another is."""

from typing import Any

import pytest

from fastframe import _core, _kernels, _residuals


@pytest.mark.parametrize("module", [_core, _kernels])
def test_an_instruction_set_is_forced_until_another_is(module: Any) -> None:
    assert module.available_isas()[0] == "scalar"
    before = module.isa()
    try:
        for name in module.available_isas():
            module.force_isa(name)
            assert module.isa() == name
        with pytest.raises(ValueError, match="neon9"):
            module.force_isa("neon9")
        assert module.isa() == module.available_isas()[-1]
    finally:
        module.force_isa(before)


@pytest.mark.parametrize("name", _core.available_isas())
def test_what_is_forced_for_the_codec_is_so_for_its_residuals(name: str) -> None:
    before = _core.isa()
    try:
        _core.force_isa(name)
        assert _residuals.isa() == name
    finally:
        _core.force_isa(before)
    assert _residuals.isa() == before
