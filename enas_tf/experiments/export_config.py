"""The options of the stage export: the forms in which a child is written."""

import dataclasses

from enas_tf.options import Group, option, require

#: What a child can be exported as.
FORMATS = ("keras", "savedmodel", "litert", "litert_int8", "onnx")


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """The forms in which a child is written."""

    export: tuple[str, ...] = option(
        ("keras", "savedmodel"),
        "what the stage export writes into child/ and compares with the Keras model: keras = child.keras, which "
        "retraining leaves in any case; savedmodel = saved_model; litert = child.tflite; litert_int8 = "
        "child_int8.tflite, in 8 bits, whose ranges training images show; onnx = child.onnx, which needs "
        "pip install 'enas_tf[onnx]'",
        items=FORMATS,
        decides=False,
    )

    def __post_init__(self):
        is_valid = bool(self.export) and len({*self.export}) == len(self.export) and {*self.export} <= {*FORMATS}
        require(is_valid, "export", ",".join(self.export), f"names out of {', '.join(FORMATS)}, each once")


EXPORT = Group(ExportConfig(), stages=("export",))
