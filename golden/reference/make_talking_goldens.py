"""Makes the trained talking faces' exports, media and goldens, with PyTorch, never with a runtime.

    python golden/reference/make_talking_goldens.py --checkpoint FOLDER --corpus FILE [--stage memory …]

Exports go to golden/families/FAMILY/spoken/ROLE.onnx (dialect D2: it folds nothing and keeps every name,
so it is the checkpoint too). Goldens are of held-out utterances: golden/media/spoken/NAME.wav, what is said
(NAME.txt), phones with the seconds at which they end (NAME.phones), and the speaker's face.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import export
import export_talking
import espeak
import faces
import mel
import mouths
import speaking
import spoken_corpus
import syncnet
import taem
import visemes
import weights

FAMILIES = weights.ROOT / "golden" / "families"
SPOKEN = weights.MEDIA / "spoken"
# Speaker and utterance; the first two are held out, the others are for calibration.
UTTERANCES = (("held-0", 0, 0), ("held-5", 5, 1), ("calibration-0", 0, -20), ("calibration-5", 5, -21))
ROLES = {
    "memory": [("memory", "audio-lip-memory", "generator"), ("memory-lips", "audio-lip-memory", "lips"),
               ("audio-encoder", "text-to-audio-embedding", "audio"),
               ("memory-latent", "text-to-audio-embedding", "base")],
    "context": [("cals-phones", "context-aware-lip-sync", "phones"),
                ("cals-context", "context-aware-lip-sync", "context"),
                ("cals-face", "context-aware-lip-sync", "face")],
    "text": [("taem-encoder", "text-to-audio-embedding", "encoder"),
             ("taem-refine", "text-to-audio-embedding", "refine"),
             ("taem-speaker", "text-to-audio-embedding", "speaker")],
    "critic": [("syncnet", "sync-critic", "critic")],
}
BOX = mouths.FACE_BOX
SHOWN = (5, 20, 40)  # frames that goldens keep


def find(corpus, speaker, place):
    """The utterance at `place` of a speaker's held-out ones; before them where negative."""
    held = [k for k in corpus.utterances(True) if corpus.speaker[k] == speaker]
    return held[place] if place >= 0 else held[0] + place


def write_media(corpus):
    SPOKEN.mkdir(parents=True, exist_ok=True)
    synthesiser = espeak.Synthesiser()
    for name, speaker, place in UTTERANCES:
        voice, rate, pitch = spoken_corpus.SPEAKERS[speaker]
        synthesiser.voice(voice, rate, pitch)
        text = corpus.texts[find(corpus, speaker, place)]
        samples, phones, ends = spoken_corpus.utterance(synthesiser, text)
        spoken_corpus.soundfile.write(
            SPOKEN / f"{name}.wav", samples, mel.SAMPLE_RATE, subtype="PCM_16")
        (SPOKEN / f"{name}.txt").write_text(text + "\n")
        lines = [f"{e:.4f} {p}\n" for p, e in zip(phones, ends)]
        (SPOKEN / f"{name}.phones").write_text("".join(lines))
    for speaker in (0, 5):
        Image.fromarray(portrait(corpus, speaker)).save(SPOKEN / f"face-{speaker}.png")


def portrait(corpus, speaker):
    """A speaker's picture with a closed mouth, (256, 256, 3) red, green, blue bytes."""
    identity = speaking.Stage.identity(torch.tensor([speaker]))
    look = mouths.random_look(identity, torch.Generator(), 0.0)
    closed = torch.tensor([visemes.SHAPES["sil"]])
    left, top, right, bottom = BOX
    face = mouths.render(look, closed, corpus.textures, right - left)[0]
    picture = corpus.textures[identity[0]].clone()
    picture[:, top:bottom, left:right] = (face + 1) / 2
    return (picture.flip(0).permute(1, 2, 0) * 255).round().byte().numpy()


def speaker_face(name, size):
    """The face of a picture as a network reads it: blue, green, red in [0, 255]."""
    return faces.crop(faces.read_image(SPOKEN / f"{name}.png"), np.asarray(BOX, np.float64), size)


def windows_of(name):
    samples = mel.read_speech(SPOKEN / f"{name}.wav")
    return torch.from_numpy(mel.mel_windows(mel.mel_spectrogram(samples)))


def network_face(speaker, size):
    face = speaker_face(f"face-{speaker}", size)
    return torch.from_numpy(faces.network_input(face))[None]


def export_stage(stage, checkpoint):
    made = export_talking.graphs(export_talking.networks("small", checkpoint))
    made["cals-phones"] = (
        export_talking.Named("phone_encoder", made["cals-context"][0].audio_to_lip.phone_encoder,
                             lambda e, x: e(x).flatten(1)),
        made["audio-encoder"][1], {"feature": {0: "batch"}})
    for graph, family, role in ROLES[stage]:
        module, inputs, outputs = made[graph]
        folder = FAMILIES / family / "spoken"
        folder.mkdir(parents=True, exist_ok=True)
        dynamic = {k: axes for k, (_, axes) in inputs.items()} | outputs
        path = folder / f"{role}.onnx"
        export.export_graph(module, tuple(x for x, _ in inputs.values()), inputs, outputs, dynamic,
                            "D2", path)
        print(f"{path}: {path.stat().st_size:,} bytes")


def save(family, name, **values):
    folder = FAMILIES / family / "spoken"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", **{
        k: v.detach().numpy() if isinstance(v, torch.Tensor) else np.asarray(v) for k, v in values.items()})


def memory_goldens(n):
    network = n["memory"].eval()
    for name, speaker, _ in UTTERANCES[:2]:
        windows = windows_of(name)
        face = network_face(speaker, network.configuration.image_size).expand(len(windows), -1, -1, -1)
        frames, address = network(windows, face)
        save("audio-lip-memory", name, address=address, frames=frames[list(SHOWN)], shown=SHOWN)


def context_goldens(n):
    network = n["cals"].eval()
    half = network.configuration.windows // 2
    for name, speaker, _ in UTTERANCES[:2]:
        windows = windows_of(name)
        features = network.audio_to_lip.phones(windows)
        index = [[min(max(i + k, 0), len(windows) - 1) for k in range(-half, half + 1)]
                 for i in range(len(windows))]
        units = export_talking.cals.Context.forward(network.audio_to_lip, features[index])[:, half]
        face = network_face(speaker, network.configuration.base.image_size)
        frames = network.lip_to_face(units[list(SHOWN)], face.expand(len(SHOWN), -1, -1, -1))
        save("context-aware-lip-sync", name, units=units, frames=frames, shown=SHOWN)


def text_goldens(n):
    encoder, refine, speak = (n[k].eval() for k in ("encoder", "refine", "speaker"))
    for name, speaker, _ in UTTERANCES[:2]:
        phones = [line.split()[1] for line in (SPOKEN / f"{name}.phones").read_text().splitlines()]
        ends = [float(line.split()[0]) for line in (SPOKEN / f"{name}.phones").read_text().splitlines()]
        ids = torch.tensor([[visemes.PHONES.index(p) for p in phones]])
        face = speaker_face(f"face-{speaker}", n["text"].face_size)[:, :, ::-1].copy()
        image = torch.from_numpy(np.moveaxis(face / 127.5 - 1, 2, 0).astype(np.float32))[None]
        spk = speak(image)
        hidden, log_dur = encoder(ids, spk)
        durations = taem.cumulative_frames(log_dur[0])
        f_aud = refine(hidden[:, torch.repeat_interleave(torch.arange(len(phones)), durations)])
        spoken = n["memory"].audio_encoder(windows_of(name)).flatten(1)
        save("text-to-audio-embedding", name, phone_ids=ids, spk=spk, log_dur=log_dur,
             durations=durations, f_aud=f_aud, f_speech=spoken,
             spoken_durations=speaking.frame_durations(ends))


def critic_goldens(n, corpus):
    network = n["syncnet"].eval()
    for name, speaker, place in UTTERANCES[:2]:
        windows = windows_of(name)
        utterance = find(corpus, speaker, place)
        stage = speaking.Stage(corpus, network.configuration.image_size, seed=1)
        columns = corpus.frames(utterance)
        identity = stage.identity(torch.full((len(columns),), speaker))
        frames = stage.draw(mouths.random_look(identity, stage.generator, 0.0), columns)
        count = min(len(frames) - 4, len(windows))
        clips = torch.stack([frames[k : k + count] for k in range(5)], dim=1)
        heard, seen = network(windows[:count], syncnet.face_input(clips))
        save("sync-critic", name, audio=windows[:3], face=syncnet.face_input(clips)[:3],
             audio_embedding=heard[:3], face_embedding=seen[:3], cosine=(heard * seen).sum(1))


def lexicon():
    """Every word of the corpus as espeak-ng's American voice says it, in the CMU dictionary's form."""
    synthesiser = espeak.Synthesiser()
    synthesiser.voice("en-us", 160, 40)
    text = " ".join(spoken_corpus.sentences(2000, seed=1)).replace(",", "")
    lines = ["# Pronunciations by espeak-ng's American voice."]
    weak = {"a": "AH0", "the": "DH AH0"}
    for word in sorted(set(text.lower().split())):
        if word in weak:
            lines.append(f"{word}  {weak[word]}")
            continue
        _, phones, _ = spoken_corpus.utterance(synthesiser, word)
        lines.append(f"{word}  {' '.join(p for p in phones if p not in ('sil', 'sp'))}")
    (FAMILIES / "text-to-audio-embedding" / "lexicon.txt").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--stage", nargs="+", choices=ROLES, default=list(ROLES))
    parser.add_argument("--media", action="store_true", help="write the media and the lexicon, too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    corpus = speaking.Corpus(arguments.corpus)
    if arguments.media:
        write_media(corpus)
        lexicon()
    networks = export_talking.networks("small", arguments.checkpoint)
    with torch.no_grad():
        for stage in arguments.stage:
            export_stage(stage, arguments.checkpoint)
            {"memory": memory_goldens, "context": context_goldens, "text": text_goldens,
             "critic": lambda n: critic_goldens(n, corpus)}[stage](networks)


if __name__ == "__main__":
    main()
