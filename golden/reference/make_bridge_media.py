"""Makes what the bridge's tests and demonstration look at and listen to.

    python golden/reference/make_bridge_media.py

writes golden/media/lips: clips of a drawn face that says words (29 frames) and a sentence (75), with the
speech, none of them in the training corpus, and goldens.npz, what Pillow and librosa make of them; and
golden/families/associative-bridge/calibration and calibration-speech, clips as networks see them. Needs espeak-ng.
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
# a sentence of each speaker, for calibration
SAID = ("bin blue at f two now", "set green in c seven again", "lay white with m four please",
        "place red by x one soon")
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


def sentence_clip(speaker, text, who):
    said = speaker.speak(text, *utterances.SPEAKERS[who], 40)
    samples, start, total = make_bridge_corpus.clip(
        said, said.phones[-1].start / 2, make_bridge_corpus.SENTENCE_FRAMES, 0)
    return samples, utterances.mouth_track(said.phones, start, total)


def write_samples(folder, clips):
    folder.mkdir(parents=True, exist_ok=True)
    for k, (pictures, samples) in enumerate(clips):
        np.savez_compressed(folder / f"set_{k}.npz", video=network_video(pictures),
                            audio=network_audio(samples, 4 * len(pictures)))


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
    samples, track = sentence_clip(speaker, "place red by k nine soon", 1)
    write_clip("sentence", frames(track, 5, images, 3, 0.2), samples)
    read, _ = soundfile.read(LIPS / "sentence.wav", dtype="float32")
    goldens["spoken"] = bridge_audio.spoken_mel(read).astype(np.float32)
    np.savez(LIPS / "goldens.npz", **goldens)
    clips = []
    for k in range(8):
        samples, track = word_clip(
            speaker, utterances.WORDS[k * 3], utterances.CARRIERS[k % 7], utterances.TRAINING_VOICES[k], 130 + 6 * k)
        clips.append((frames(track, 3 * k, images, k, 1.0), samples))
    write_samples(CALIBRATION, clips)
    clips = []
    for who, text in enumerate(SAID):
        samples, track = sentence_clip(speaker, text, who)
        clips.append((frames(track, speaking_faces.SPEAKER_FACES[who], images, who, 0.4), samples))
    write_samples(CALIBRATION.parent / "calibration-speech", clips)
    (CALIBRATION.parent / "words.txt").write_text("\n".join(utterances.WORDS) + "\n")


if __name__ == "__main__":
    main()
