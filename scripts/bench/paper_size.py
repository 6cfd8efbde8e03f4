"""The networks that scripts/bench/speed and scripts/bench/accuracy measure at the size of their papers."""

#: Title, export below FOLDER, extents of its open dimensions.
NETWORKS = [
    ("Wav2Lip-96", "talking/wav2lip-d1.onnx", {}),
    ("SyncTalkFace-128", "paper-d1.onnx", {}),
    ("bridge Bi-GRU", "bridge/gru-d1.onnx", {}),
    ("bridge MS-TCN", "bridge/tcn-d1.onnx", {}),
    ("denoiser 256²", "bridge/restoration-d1.onnx", {"height": 256, "width": 256}),
    ("CALS audio-to-lip", "talking/cals-context-d1.onnx", {}),
    ("TAEM refine", "talking/taem-refine-d1.onnx", {"frames": 100}),
]


def inputs_of(model, extents, seed):
    """Made-up inputs of an export; open dimensions are 1 where `extents` says nothing."""
    import numpy as np
    import onnx

    random = np.random.default_rng(seed)
    known = {tensor.name for tensor in model.graph.initializer}
    made = {}
    for value in model.graph.input:
        if value.name in known:
            continue
        kind = value.type.tensor_type
        shape = [d.dim_value or extents.get(d.dim_param, 1) for d in kind.shape.dim]
        element = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        made[value.name] = random.random(shape).astype(element)
    return made
