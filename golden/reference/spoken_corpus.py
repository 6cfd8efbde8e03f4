"""Speech with phone timings, synthesised by espeak-ng, as a corpus to train talking faces on.

    python golden/reference/spoken_corpus.py --output FOLDER/corpus.npz [--each 56] [--wav FOLDER]

Eight speakers, each a voice at its own pace and a face of its own, say sentences made of a few
hundred words; the last `HELD_OUT` of each are held out. Needs the espeak-ng library; what
trains from the corpus needs neither it nor librosa.
"""

import argparse
import random
from pathlib import Path

import librosa
import numpy as np
import soundfile

import drawn_faces
import espeak
import mel
import visemes

# Voice, words a minute, pitch; the first speaker has the photographed face, the others drawn ones.
SPEAKERS = (
    ("en-us+f2", 150, 55), ("en-us", 160, 40), ("en-us+m3", 140, 35), ("en-us+f4", 170, 60),
    ("en-us+m7", 155, 30), ("en-us+f5", 145, 70), ("en-us+m1", 175, 50), ("en-us+f3", 135, 45))
HELD_OUT = 8
SILENCE_BEFORE, SILENCE_AFTER = 0.16, 0.28

SUBJECTS = """the old man/a young woman/my brother/your sister/the tall captain/our teacher/the chef/a
small child/the farmer/his uncle/her mother/the doctor/one sailor/the queen/a brown fox/the white
horse/that lazy dog/this yellow bird/the choir/every judge/the boy/a girl/my friend/nobody/somebody/
the mayor/an owl/the weaver/the pilot/each player/the vicar/a fisher""".replace("\n", " ")
VERBS = """found/bought/saw/painted/carried/pushed/watched/opened/gave away/showed/moved/chose/measured/
threw/caught/followed/cleaned/joined/shared/broke/fixed/washed/pulled/lifted/buried/hid/kept/used/
heard/enjoyed/wanted/remembered/forgot/thought of/laughed at/looked for""".replace("\n", " ")
OBJECTS = """a thick book/the blue boat/three yellow flowers/the measuring tape/two fresh fish/a loud voice/
the heavy box/some warm bread/the golden watch/five big apples/the village church/a thin rope/the
iron key/the leather chair/four wooden shoes/a garage door/the treasure map/eight paper cups/the
white mouse/a bowl of soup/the narrow bridge/a pair of gloves/the young tree/six green leaves/the
oil lamp/nine good ideas/the kitchen table/a cup of tea/the broken wheel/that azure vase/the boiled
eggs/ten copper coins/another picture/the weather report/the usual noise/a pleasure ship""".replace("\n", " ")
PLACES = """near the river/in the city/by the north shore/on the roof/under the bridge/before noon/after
the show/in the early morning/at the farm/behind the house/beside the lake/last Thursday/for a while/
with great joy/without a word/over the hill/through the window/around the yard/before the storm/
every evening/in July/far from home/out of the fire/on the way""".replace("\n", " ")
LINKS = ("and", "but", "while", "so", "because")


def parts(text):
    return [p.strip() for p in " ".join(text.split()).split("/")]


def sentences(count, seed):
    generator = random.Random(seed)
    subjects, verbs, objects, places = map(parts, (SUBJECTS, VERBS, OBJECTS, PLACES))

    def clause():
        return [generator.choice(subjects), generator.choice(verbs), generator.choice(objects)]

    made = []
    for _ in range(count):
        words = clause()
        kind = generator.random()
        if kind < 0.55:
            words.append(generator.choice(places))
        elif kind < 0.8:
            words = [generator.choice(places) + ",", *words]
        else:
            words[-1] += ","
            words += [generator.choice(LINKS), *clause()]
        made.append(" ".join(words))
    return made


CONSONANTS = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "tS": "CH", "dZ": "JH", "f": "F",
    "v": "V", "T": "TH", "D": "DH", "s": "S", "z": "Z", "S": "SH", "Z": "ZH", "h": "HH", "m": "M",
    "n": "N", "N": "NG", "l": "L", "r": "R", "j": "Y", "w": "W", "t#": "T", "t2": "T", "d#": "D",
    "n-": "N", "r-": "R", "*": "T", "l#": "L"}
VOWELS = {
    "a": "AE", "aa": "AE", "a#": "AH", "A:": "AA", "A": "AA", "A@": "AA R", "A#": "AA", "0": "AA", "0#": "AA",
    "V": "AH", "@": "AH", "@2": "AH", "@5": "AH", "@L": "AH L", "3": "ER", "3:": "ER", "E": "EH", "E#": "EH", "E2": "EH",
    "e@": "EH R", "I": "IH", "I2": "IH", "I#": "IH", "i": "IY", "i:": "IY", "i@": "IY AH", "i@3": "IH R",
    "O": "AO", "O2": "AO", "O:": "AO", "O@": "AO R", "o@": "AO R", "U": "UH", "U@": "UH R", "u:": "UW", "u": "UW", "oU": "OW",
    "eI": "EY", "aI": "AY", "aU": "AW", "OI": "OY", "aI@": "AY AH", "aI3": "AY ER", "aU@": "AW ER", "VR": "AH R",
    "I2#": "IH", "@-": "AH"}


def stresses(mnemonics):
    """The stress of each vowel of `espeak.Synthesiser.phonemes`: 0, 1 or 2."""
    found = []
    for word in mnemonics.split():
        for piece in word.split("_"):
            mark = {"'": "1", ",": "2"}.get(piece[:1], "0")
            if piece.lstrip("',%=;") in VOWELS:
                found.append(mark)
    return found


def arpabet(events, marks, end):
    """Phones with stress and the second at which each ends; None if the marks do not fit."""
    phones, starts, vowel = [], [], 0
    for k, (name, start) in enumerate(events):
        name = name.lstrip("',%=")
        following = events[k + 1][1] if k + 1 < len(events) else end
        if name.startswith("_") or name in ("", ";", "?", "|"):
            parts = [] if name and not name.startswith("_") else ["sp"]
        elif name in VOWELS:
            if vowel >= len(marks):
                return None
            parts = VOWELS[name].split()
            parts = [p + marks[vowel] if p in visemes.VOWELS and n == 0 else
                     p + "0" if p in visemes.VOWELS else p for n, p in enumerate(parts)]
            vowel += 1
        else:
            parts = [CONSONANTS[name]]
        for n, part in enumerate(parts):
            if part == "sp" and phones and phones[-1] == "sp":
                continue
            phones.append(part)
            starts.append(start + (following - start) * n / len(parts))
    if vowel != len(marks):
        return None
    return phones, starts


def utterance(synthesiser, text):
    """Samples at 16 kHz, phones from sil to sil, and the second at which each ends."""
    samples, events, _ = synthesiser.say(text)
    samples = samples.astype(np.float32)
    marks = stresses(synthesiser.phonemes(text))
    end = len(samples) / synthesiser.sample_rate
    found = arpabet(events, marks, end)
    if found is None:
        return None
    phones, starts = found
    while phones and phones[-1] == "sp":
        end = starts.pop()
        phones.pop()
    samples = samples[: int(end * synthesiser.sample_rate)]
    before, after = (np.zeros(int(s * synthesiser.sample_rate), np.float32)
                     for s in (SILENCE_BEFORE, SILENCE_AFTER))
    samples = np.concatenate([before, samples, after])
    samples = librosa.resample(samples, orig_sr=synthesiser.sample_rate, target_sr=mel.SAMPLE_RATE)
    starts = [s + SILENCE_BEFORE for s in starts] + [end + SILENCE_BEFORE]
    phones = ["sil", *phones, "sil"]
    ends = [*starts, len(samples) / mel.SAMPLE_RATE]
    return samples.astype(np.float32), phones, ends


def textures():
    """(9, 256, 256, 3) bytes: the photograph without a mouth and as it is, then a face a speaker."""
    made = drawn_faces.Faces(seed=11, drawn=len(SPEAKERS) - 1).textures
    return (made.permute(0, 2, 3, 1) * 255).round().byte().numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--each", type=int, default=56, help="utterances of each speaker")
    parser.add_argument("--wav", type=Path, help="write the held-out utterances here")
    arguments = parser.parse_args()
    synthesiser = espeak.Synthesiser()
    columns, offsets, speakers, held, texts = [], [0], [], [], []
    identifiers, ends, phone_offsets = [], [], [0]
    for speaker, (name, rate, pitch) in enumerate(SPEAKERS):
        synthesiser.voice(name, rate, pitch)
        said = 0
        for text in sentences(4 * arguments.each, seed=100 + speaker):
            made = utterance(synthesiser, text)
            if made is None or said == arguments.each:
                continue
            samples, phones, stops = made
            is_held = said >= arguments.each - HELD_OUT
            if is_held and arguments.wav:
                arguments.wav.mkdir(parents=True, exist_ok=True)
                stem = arguments.wav / f"speaker{speaker}_{said - arguments.each + HELD_OUT}"
                soundfile.write(f"{stem}.wav", samples, mel.SAMPLE_RATE, subtype="PCM_16")
                lines = [text, *(f"{e:.3f} {p}" for p, e in zip(phones, stops))]
                Path(f"{stem}.phones").write_text("\n".join(lines) + "\n")
            columns.append(mel.mel_spectrogram(samples).T.astype(np.float16))
            offsets.append(offsets[-1] + len(columns[-1]))
            identifiers += [visemes.PHONES.index(p) for p in phones]
            ends += stops
            phone_offsets.append(len(identifiers))
            speakers.append(speaker)
            held.append(is_held)
            texts.append(text)
            said += 1
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.output, mel=np.concatenate(columns), mel_offsets=np.array(offsets),
        speaker=np.array(speakers), held_out=np.array(held), phones=np.array(identifiers),
        ends=np.array(ends, np.float32), phone_offsets=np.array(phone_offsets),
        textures=textures(), texts=np.array(texts))
    print(f"{len(speakers)} utterances, {offsets[-1] / 80:.0f} s, "
          f"{arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
