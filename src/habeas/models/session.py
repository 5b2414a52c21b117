"""OpenVINO sessions: one network, one thread, one request in flight.

Threads are not pinned: two single-thread processes would land on the same core (docs/model-card.md, traps).
"""

import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, Literal, cast

from habeas.errors import ModelError
from habeas.types import F32

if TYPE_CHECKING:
    import openvino as ov

Precision = Literal["auto", "f32", "bf16"]
DYNAMIC: Final = -1


_PREPARED: Final = 2000
"""Operations kept ready: about 55 sizes of the detector's picture, 4 MB each. A 1080p camera has 30 (`video.sampling`);
beyond the bound the size not seen for longest is given up, and costs 30 ms when it is seen again.
"""


class OpenVinoSession:
    """One network on the CPU.

    Args:
        name: file name, for messages; its ending tells the format.
        data: the whole file, already checked against the manifest.
        shape: input shape to run with, `DYNAMIC` where it varies from call to call.
        precision: arithmetic; `auto` is bf16 where the processor has it. `.precision` says what it became.

    Raises:
        ModelError: OpenVINO cannot read or compile it.
    """

    def __init__(self, name: str, data: bytes, shape: tuple[int, ...], precision: Precision = "f32") -> None:
        ov = _openvino()
        core = ov.Core()
        able = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision: str = ("bf16" if able else "f32") if precision == "auto" else precision
        hints = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": _PREPARED,
        }
        try:
            model = _read(core, name, data)
            model.reshape(list(shape))
            compiled = core.compile_model(model, "CPU", hints)
        except RuntimeError as error:
            raise ModelError(
                f"{name} cannot be loaded: {str(error).splitlines()[0]}", remedy="upgrade openvino"
            ) from error
        self._request = compiled.create_infer_request()
        self._names = tuple(output.any_name for output in compiled.outputs)

    def infer(self, batch: F32) -> dict[str, F32]:
        """Run the network.

        Args:
            batch: float32 in the network's layout; used up: overwritten with zeros.

        Returns:
            Outputs by name, float32.
        """
        self._request.infer([batch], share_inputs=True)
        outputs = {}
        for name in self._names:
            tensor = cast("F32", self._request.get_tensor(name).data)
            outputs[name] = tensor.copy()
            tensor.fill(0)  # the request lives on; what it saw and found must not
        batch.fill(0)
        return outputs


def _openvino() -> ModuleType:
    """Import OpenVINO without its telemetry.

    The package reports every import to a web analytics service, without asking, through `openvino_telemetry`. Where
    that module cannot be imported it uses a stub that sends nothing; so it cannot (docs/decisions/0007).
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # how Python is told: no such module
    return import_module("openvino")


def _read(core: "ov.Core", name: str, data: bytes) -> "ov.Model":
    """Parse checked bytes. OpenVINO reads ONNX from memory, TFLite only from a file: that one is private and brief."""
    if name.endswith(".onnx"):
        return core.read_model(model=data)
    with tempfile.TemporaryDirectory(prefix="habeas-model-") as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return core.read_model(path)
