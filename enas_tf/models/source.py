"""A functional Keras model as Python source that builds the same model with Keras alone, a statement for each layer."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from enas_tf.errors import InputError

#: The longest line of the source.
_WIDTH = 120
#: Arguments whose pair of equal numbers is written as one number.
_PAIRS = {"kernel_size", "pool_size", "strides", "dilation_rate"}
#: The variable of the cell of a recurrent layer.
_CELL = "cell"
_CURE = "Export the child, and load child.keras or the SavedModel."


def to_source(model: keras.Model, opening: str) -> str:
    """Return a module with a function `build_model`, which makes `model` anew: same layers, names and shapes.

    Args:
      model: a functional model of layers and operations of Keras, and of layers that have a method `write_class`. That
        returns a class of the same name as source of Keras alone, and the arguments that make the layer without its
        name, None for those that its configuration says.
      opening: the docstring of the module, without quotes.

    Raises:
      InputError: the model has a layer that is not of Keras alone.
    """
    names: dict[int, str] = {}
    lines = list(_statements(model, names))
    inputs, outputs = (_value(_renamed(tensors, names)) for tensors in (model.input, model.output))
    lines += _call("return keras.Model", [inputs, outputs, f"name={_quote(model.name)}"], "")
    docstring = "\n".join(textwrap.wrap(f'"""{opening}"""', _WIDTH))
    classes = "".join(f"\n\n{text}" for text in _written_classes(model))
    body = textwrap.indent("\n".join(['"""Return the model, with new weights."""', *lines]), "    ")
    main = 'if __name__ == "__main__":\n    build_model().summary()'
    return f"{docstring}\n\nimport keras\n{classes}\n\ndef build_model():\n{body}\n\n\n{main}\n"


class _Name(str):
    """The name of a variable of the source."""


def _statements(model: keras.Model, names: dict[int, str]) -> Iterator[str]:
    """Yield the lines that make the tensors of `model`, and note their names by the ids of the tensors."""
    places, shared = list(_calls(model)), dict[int, str]()
    counts = [sum(operation is other for other, _ in places) for operation, _ in places]
    for (operation, node), count in zip(places, counts, strict=True):
        if isinstance(operation, keras.layers.InputLayer):
            (tensor,) = node.outputs
            names[id(tensor)] = _free(operation.name, names)
            yield from _call(f"{names[id(tensor)]} = keras.Input", _input_arguments(operation), "")
            continue
        is_layer = isinstance(operation, keras.layers.Layer)
        name = f"x{len(names)}"
        arguments = _renamed(node.arguments.args, names), _renamed(node.arguments.kwargs, names)
        given = [_value(value) for value in arguments[0]]
        given += [f"{key}={_value(value)}" for key, value in arguments[1].items() if not _is_default(key, value)]
        for place, tensor in enumerate(node.outputs):
            names[id(tensor)] = name if len(node.outputs) == 1 else f"{name}[{place}]"
        if isinstance(operation, keras.layers.RNN):
            yield from _call(f"{_CELL} = {_class(operation.cell)}", _layer_arguments(operation.cell), "")
        if not is_layer:
            function, more = _function(operation)
            yield from _call(f"{name} = {function}", [*given, *more], "")
        elif count == 1:
            yield from _call(f"{name} = {_class(operation)}", _layer_arguments(operation), f"({', '.join(given)})")
        else:
            if id(operation) not in shared:
                shared[id(operation)] = f"layer{len(shared)}"
                yield from _call(f"{shared[id(operation)]} = {_class(operation)}", _layer_arguments(operation), "")
            yield from _call(f"{name} = {shared[id(operation)]}", given, "")


def _is_default(key: str, value: Any) -> bool:
    """Return whether a keyword of a call says nothing: each call of a model says anew whether it is in training."""
    return value is None or (key == "training" and value is False)


def _calls(model: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Yield (operation, node) for each call in the graph of `model`, after the calls whose results it takes.

    A branch comes as a whole before the next one, as people write a network down.
    """
    done: set[int] = set()
    # Not by recursion: networks are deeper than Python's stack.
    stack = [(*_origin(tensor), False) for tensor in [*reversed(model.outputs), *reversed(model.inputs)]]
    while stack:
        operation, node, is_ready = stack.pop()
        if id(node) in done:
            continue
        if is_ready:
            done.add(id(node))
            yield operation, node
        else:
            stack.append((operation, node, True))
            stack += [(*_origin(tensor), False) for tensor in reversed(node.input_tensors)]


def _origin(tensor: keras.KerasTensor) -> tuple[Any, Any]:
    operation, place, _ = tensor._keras_history
    return operation, operation._inbound_nodes[place]


def _free(name: str, names: dict[int, str]) -> str:
    """Return `name` as a variable that is not taken."""
    name = re.sub(r"\W", "_", name)
    is_taken = name in (*names.values(), "keras", _CELL)
    return name if name.isidentifier() and not is_taken else f"input{len(names)}"


def _renamed(value: Any, names: dict[int, str]) -> Any:
    """Return `value` with the names of variables in place of tensors."""
    if isinstance(value, keras.KerasTensor):
        return _Name(names[id(value)])
    if isinstance(value, list | tuple):
        return type(value)(_renamed(item, names) for item in value)
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    return value


def _written_classes(model: keras.Model) -> dict[str, None]:
    """Return the classes that the source defines, in order, each once."""
    layers = [part for layer in model.layers for part in (getattr(layer, "cell", None), layer)]
    return dict.fromkeys(layer.write_class()[0] for layer in layers if hasattr(layer, "write_class"))


def _class(layer: keras.layers.Layer) -> str:
    name = type(layer).__name__
    if hasattr(layer, "write_class"):
        return name
    if getattr(keras.layers, name, None) is not type(layer):
        raise InputError(
            f"the layer {layer.name} is a {type(layer).__module__}.{name}, so that its network cannot be written as a "
            f"program of Keras alone: expected layers of keras.layers. {_CURE}"
        )
    return f"keras.layers.{name}"


def _input_arguments(layer: keras.layers.InputLayer) -> list[str]:
    dtype = [] if layer.dtype == keras.config.floatx() else [f"dtype={_quote(layer.dtype)}"]
    return [_value(tuple(layer.batch_shape[1:])), *dtype, f"name={_quote(layer.name)}"]


def _function(operation: Any) -> tuple[str, list[str]]:
    """Return the function of keras.ops that makes an operation, and the arguments that are no tensors."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(operation).__name__).lower()
    function = getattr(keras.ops, name, None)
    if function is None:
        raise InputError(
            f"the network has the operation {type(operation).__name__}, for which keras.ops has no function: expected "
            f"layers of keras.layers and functions of keras.ops. {_CURE}"
        )
    kept = inspect.signature(type(operation).__init__).parameters
    return f"keras.ops.{name}", [
        f"{key}={_value(getattr(operation, key))}"
        for key, parameter in inspect.signature(function).parameters.items()
        if key in kept and getattr(operation, key, parameter.default) != parameter.default
    ]


def _layer_arguments(layer: keras.layers.Layer) -> list[str]:
    arguments = layer.write_class()[1] if hasattr(layer, "write_class") else None
    return [*(_arguments(layer) if arguments is None else arguments), f"name={_quote(layer.name)}"]


def _arguments(thing: Any) -> list[str]:
    """Return the arguments that make `thing`, which has a `get_config`, without those that are defaults."""
    parameters = inspect.signature(type(thing).__init__).parameters
    config = thing.get_config()
    if isinstance(thing, keras.layers.RNN):
        config["cell"] = thing.cell
    needed = [
        key
        for key, parameter in parameters.items()
        if key in config and parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    kept = list(needed)
    # The default of an argument may depend on another one, as strides on the size of a pooling.
    while missing := _missing(thing, config, kept):
        kept += missing
    kept = needed + [key for key in config if key in kept and key not in needed]
    return [f"{'' if key in needed else f'{key}='}{_value(_shortened(key, config[key]))}" for key in kept]


def _missing(thing: Any, config: dict[str, Any], kept: list[str]) -> list[str]:
    """Return the arguments without which another thing than `thing` would be made of those in `kept`."""
    found = type(thing)(**{key: config[key] for key in kept}).get_config()
    return [key for key, value in config.items() if key not in (*kept, "name", "cell") and value != found.get(key)]


def _shortened(key: str, value: Any) -> Any:
    if key in _PAIRS and isinstance(value, list | tuple) and len(set(value)) == 1:
        return value[0]
    return value


def _value(value: Any) -> str:
    """Return the expression of a value: a name, a number, a text, a list of these, or a part of Keras by its config."""
    if isinstance(value, _Name):
        return str(value)
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, np.ndarray | np.generic):
        return _value(value.tolist())
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, keras.layers.Layer):
        return _CELL  # Its statement stands just before.
    if isinstance(value, dict) and "class_name" in value:
        return _part(value)
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise InputError(
        f"the network has the argument {value!r}, which cannot be written as a program: expected a number, a text, or "
        f"an initializer or the like of Keras. {_CURE}"
    )


def _part(config: dict[str, Any]) -> str:
    """Return the expression of an initializer, a regularizer or the like, of its serialised form."""
    if config["class_name"] == "DTypePolicy":
        return _quote(config["config"]["name"])
    part, module = keras.saving.deserialize_keras_object(config), config["module"]
    if config.get("registered_name") or module.split(".")[0] != "keras":
        raise InputError(
            f"the network has a {module}.{config['class_name']}, which is not of Keras alone: expected initializers, "
            f"regularizers and constraints of Keras. {_CURE}"
        )
    return f"{module}.{config['class_name']}({', '.join(_arguments(part))})"


def _quote(text: str) -> str:
    quoted = repr(text)
    return f'"{quoted[1:-1]}"' if quoted[0] == "'" and '"' not in quoted else quoted


def _call(opening: str, arguments: list[str], closing: str) -> list[str]:
    """Return a call in one line if it fits between the margins of a function, else in several."""
    width, line = _WIDTH - 4, f"{opening}({', '.join(arguments)}){closing}"
    if len(line) <= width:
        return [line]
    head = f"{opening}({', '.join(arguments)})"
    if closing and len(head) < width:
        return [f"{head}(", *_filled(closing[1:-1].split(" "), width), ")"]
    return [f"{opening}(", *_filled([f"{argument}," for argument in arguments], width), f"){closing}"]


def _filled(words: list[str], width: int) -> list[str]:
    """Return lines of as many words as fit."""
    lines = ["   "]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > width and lines[-1].strip():
            lines.append("   ")
        lines[-1] += f" {word}"
    return lines
