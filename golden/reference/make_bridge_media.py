"""Makes what the bridge's tests and demonstration look at and listen to.

    python golden/reference/make_bridge_media.py

writes golden/media/lips: clips of a drawn face that says words (29 frames) and a sentence (75), with the
speech, none of them in the training corpus, and goldens.npz, what Pillow and librosa make of them; and
golden/families/associative-bridge/calibration, clips as networks see them. Needs espeak-ng.
"""

import numpy as np
import soundfile
import torch
from PIL import Image

import bridge_audio
import faces
import make_bridge_corpus
import speaking_faces
import utterances
import weights

LIPS = weights.MEDIA / "lips"
CALIBRATION = weights.ROOT / "golden" / "families" / "associative-bridge" / "calibration"
CROP = (59, 95, 195, 231)
MEAN, DEVIATION = 0.4136, 0.1700
SHOWN = (("family", "en-us+m5", 36), ("welcome", "en-us+f5", 39))


def shades(frame):
    """As the published loader: crop, resize, grey."""
    picture = Image.fromarray(frame).crop(CROP).resize((112, 112), Image.BILINEAR).convert("L")
    return np.asarray(picture)


def frames(track, identity, images, seed, amount=0.5):
    generator = torch.Generator().manual_seed(seed)
    look = speaking_faces.looks(1, torch.tensor([identity]), generator, amount=amount)
    look["noise"] = look["noise"] * 0
    made = speaking_faces.render(look, torch.from_numpy(track)[None], images, *speaking_faces.whole_points())
    return (made[0].permute(0, 2, 3, 1).numpy() * 255 + 0.5).astype(np.uint8)


def network_video(pictures):
    grey = np.stack([shades(p) for p in pictures]).astype(np.float32) / 255
    return ((grey - MEAN) / DEVIATION)[None, None].astype(np.float32)


def network_audio(samples, columns):
    decibels = bridge_audio.heard_decibels(samples)[:, :columns]
    return bridge_audio.normalised(decibels)[None, None].astype(np.float32)


def write_clip(name, pictures, samples):
    folder = LIPS / name
    folder.mkdir(parents=True, exist_ok=True)
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{k:05}.png", optimize=True)
    soundfile.write(LIPS / f"{name}.wav", samples, bridge_audio.SAMPLE_RATE, subtype="PCM_16")


def word_clip(speaker, word, carrier, voice, rate=150):
    said = speaker.speak(carrier.format(word), voice, rate, 50, 50)
    samples, start, total = make_bridge_corpus.clip(
        said, make_bridge_corpus.word_middle(said, carrier), make_bridge_corpus.FRAMES, 0)
    noise = 3e-4 * np.random.default_rng(1).standard_normal(len(samples))
    return samples + noise.astype(np.float32), utterances.mouth_track(said.phones, start, total)


def main():
    speaker = utterances.Speaker()
    photograph = faces.read_image(weights.MEDIA / "face.png")
    textures = speaking_faces.textures(make_bridge_corpus.DRAWN, photograph=photograph)
    images = torch.from_numpy(textures).permute(0, 3, 1, 2).float() / 255
    goldens = {}
    for word, voice, identity in SHOWN:
        samples, track = word_clip(speaker, word, "say {} now", voice)
        pictures = frames(track, identity, images, identity)
        write_clip(f"word-{word}", pictures, samples)
        goldens[f"{word}_shades"] = shades(pictures[9]).astype(np.float32)
    read, _ = soundfile.read(LIPS / f"word-{SHOWN[0][0]}.wav", dtype="float32")
    goldens["heard"] = network_audio(read, 116)[0, 0]
    said = speaker.speak("place red by k nine soon", *utterances.SPEAKERS[1], 40)
    samples, start, total = make_bridge_corpus.clip(
        said, said.phones[-1].start / 2, make_bridge_corpus.SENTENCE_FRAMES, 0)
    write_clip("sentence", frames(utterances.mouth_track(said.phones, start, total), 5, images, 3, 0.2), samples)
    read, _ = soundfile.read(LIPS / "sentence.wav", dtype="float32")
    goldens["spoken"] = bridge_audio.spoken_mel(read).astype(np.float32)
    np.savez(LIPS / "goldens.npz", **goldens)
    CALIBRATION.mkdir(parents=True, exist_ok=True)
    for k in range(8):
        word = utterances.WORDS[k * 3]
        samples, track = word_clip(
            speaker, word, utterances.CARRIERS[k % 7], utterances.TRAINING_VOICES[k], 130 + 6 * k)
        pictures = frames(track, 3 * k, images, k, 1.0)
        np.savez_compressed(CALIBRATION / f"set_{k}.npz", video=network_video(pictures),
                            audio=network_audio(samples, 116))
    (CALIBRATION.parent / "words.txt").write_text("\n".join(utterances.WORDS) + "\n")


if __name__ == "__main__":
    main()
