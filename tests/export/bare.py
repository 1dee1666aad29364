"""TFLite and ONNX files of a few operators, by their schemas alone."""

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema

from distilpose_keras.formats.tflite_file import pack_model


def tflite(shapes, operators, *, constants=None, outputs, signature=None):
    """Write a float32 TFLite file.

    Args:
        shapes: dict of tensor name to shape.
        operators: (kind, names of the inputs, name of the output, options) of each;
            the options as an object of the schema, or None.
        constants: dict of tensor name to float32 array.
        outputs: names of the graph's outputs.
        signature: dict of tensor name to the name in the signature, where another.
    """
    constants, signature = constants or {}, signature or {}
    shapes = shapes | {name: value.shape for name, value in constants.items()}
    names = list(shapes)
    buffers = [schema.BufferT()]
    tensors = []
    for name in names:
        tensor = schema.TensorT(name=name, shape=list(shapes[name]), buffer=0)
        if name in constants:
            data = np.frombuffer(constants[name].astype("float32").tobytes(), np.uint8)
            tensor.buffer = len(buffers)
            buffers.append(schema.BufferT(data=data))
        tensors.append(tensor)
    made = {output for _, _, output, _ in operators}
    inputs = [name for name in names if name not in made and name not in constants]
    nodes = [
        schema.OperatorT(
            opcodeIndex=n,
            inputs=[names.index(name) for name in read],
            outputs=[names.index(output)],
            builtinOptions=options,
            builtinOptionsType=0
            if options is None
            else getattr(schema.BuiltinOptions, type(options).__name__[:-1]),
        )
        for n, (_, read, output, options) in enumerate(operators)
    ]
    kinds = [getattr(schema.BuiltinOperator, kind) for kind, *_ in operators]
    mapped = {
        name: schema.TensorMapT(name=signature.get(name, name), tensorIndex=n)
        for n, name in enumerate(names)
    }
    definition = schema.SignatureDefT(
        inputs=[mapped[name] for name in inputs],
        outputs=[mapped[name] for name in outputs],
        signatureKey="serving_default",
        subgraphIndex=0,
    )
    model = schema.ModelT(
        version=3,
        operatorCodes=[
            schema.OperatorCodeT(builtinCode=kind, deprecatedBuiltinCode=min(kind, 127))
            for kind in kinds
        ],
        subgraphs=[
            schema.SubGraphT(
                tensors=tensors,
                inputs=[names.index(name) for name in inputs],
                outputs=[names.index(name) for name in outputs],
                operators=nodes,
                name="main",
            )
        ],
        buffers=buffers,
        signatureDefs=[definition],
    )
    return pack_model(model)


def relu_tflite():
    """A TFLite file of one operator: image -> keypoints (RELU)."""
    return tflite(
        {"image": (1, 4), "keypoints": (1, 4)},
        [("RELU", ["image"], "keypoints", None)],
        constants={"unused": np.arange(10, dtype="float32")},
        outputs=["keypoints"],
    )


def depthwise_and_product():
    """A TFLite file of 3 x 3 taps on 3 channels, and of (4, 7) times (7, 5)."""
    shapes = {
        "image": (1, 8, 6, 3),
        "kernel": (1, 3, 3, 3),
        "map": (1, 8, 6, 3),
        "queries": (1, 7, 4),  # lie transposed
        "keys": (1, 7, 5),
        "scores": (1, 4, 5),
    }
    depthwise = schema.DepthwiseConv2DOptionsT(strideW=1, strideH=1, depthMultiplier=1)
    product = schema.BatchMatMulOptionsT(adjX=True)
    operators = [
        ("DEPTHWISE_CONV_2D", ["image", "kernel"], "map", depthwise),
        ("BATCH_MATMUL", ["queries", "keys"], "scores", product),
    ]
    return tflite(shapes, operators, outputs=["map", "scores"])


def relu_onnx():
    """An ONNX model of one operator."""
    return onnx_model([onnx.helper.make_node("Relu", ["image"], ["keypoints"])])


def onnx_model(nodes, *, image=(1, 4), outputs=None, constants=None):
    """Make a float32 ONNX model that reads `image`.

    Args:
        nodes: its nodes.
        image: shape of the input; a name for a free axis.
        outputs: dict of name to shape; `keypoints` like the image by default.
        constants: dict of name to array.
    """
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    outputs = {"keypoints": image} if outputs is None else outputs
    graph = onnx.helper.make_graph(
        nodes,
        "main",
        [value("image", kind, image)],
        [value(name, kind, shape) for name, shape in outputs.items()],
        [
            onnx.numpy_helper.from_array(np.asarray(array), name)
            for name, array in (constants or {}).items()
        ],
    )
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
