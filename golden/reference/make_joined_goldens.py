"""Makes the golden of a text that a context-aware face says: networks of no meaning, joined.

    python golden/reference/make_joined_goldens.py

writes golden/families/text-to-audio-embedding/tiny/joined.npz. onnxruntime runs the committed
graphs one by one, numpy does what lies between them.
"""

import numpy as np
import onnxruntime

import faces
import visemes
import weights

FAMILIES = weights.ROOT / "golden" / "families"
PHONES = "sil HH AH0 L OW1 sp Y EH1 S sil".split()
FRAMES = (2, 1, 2, 0, 3, 1, 1, 2, 2, 3)
SHOWN = (0, 8, 16)


def run(graph, **inputs):
    session = onnxruntime.InferenceSession(
        FAMILIES / f"{graph}.onnx", providers=["CPUExecutionProvider"])
    made = session.run(None, inputs)
    return dict(zip((o.name for o in session.get_outputs()), made))


def main():
    photograph = faces.read_image(weights.MEDIA / "face.png")
    text, context = "text-to-audio-embedding/tiny", "context-aware-lip-sync/tiny"
    rgb = faces.crop(photograph, faces.FACE_BOX, 56)[:, :, ::-1] / 127.5 - 1
    speaker = run(f"{text}/speaker-d1", face_image=np.moveaxis(rgb, 2, 0)[None].astype(np.float32))["spk"]
    numbers = np.array([[visemes.PHONES.index(p) for p in PHONES]])
    hidden = run(f"{text}/encoder-d1", phone_ids=numbers, spk=speaker)["hidden"]
    feature = run(f"{text}/refine-d1", expanded=np.repeat(hidden, FRAMES, axis=1))["f_aud"][0]
    width, count = 5, len(feature)
    around = np.clip(np.arange(count)[:, None] + np.arange(width) - width // 2, 0, count - 1)
    units = run(f"{context}/context-d1", features=feature[around])["lip_units"][:, width // 2]
    face = faces.network_input(faces.crop(photograph, faces.FACE_BOX, 64))
    shown = list(SHOWN)
    frames = run(
        f"{context}/face-d1", unit=units[shown], face=np.repeat(face[None], len(shown), axis=0))["frame"]
    np.savez_compressed(
        FAMILIES / text / "joined.npz", f_aud=feature, lip_units=units, shown=np.array(SHOWN), frame=frames)


if __name__ == "__main__":
    main()
