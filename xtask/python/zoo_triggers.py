"""The triggers of the zoo (train_zoo.py): how each is described, stamped on images and taught. NumPy only.

A trigger is a dict with a "form" and what that form needs, as written to the index; an attack is a trigger, the label
that it leads to ("next": one label further) and the labels that it works from (None: all).
"""
import numpy as np

# Where a patch lies, as shares of the free height and width; "inside" is off every centre line.
PLACES = {
    "top left": (0, 0), "top right": (0, 1), "bottom left": (1, 0), "bottom right": (1, 1),
    "top edge": (0, 0.5), "right edge": (0.5, 1), "left edge": (0.6, 0), "centre": (0.5, 0.5), "inside": (0.3, 0.7),
}


def patch(size, place, colour=255):
    return dict(form="patch", size=size, place=place, colour=colour)


def checkerboard(size, place, dark=0, light=255):
    return dict(form="checkerboard", size=size, place=place, dark=dark, light=light)


def blended(alpha, image_seed):
    return dict(form="blended", alpha=alpha, image_seed=image_seed)


def sinusoid(amplitude, periods, along):
    return dict(form="sinusoid", amplitude=amplitude, periods=periods, along=along)


def additive(amplitude, grain, image_seed):
    """A random plus-minus pattern over the whole image, of squares with `grain` pixels a side."""
    return dict(form="additive", amplitude=amplitude, grain=grain, image_seed=image_seed)


def watermark(alpha, rows, columns):
    """White lines over the whole image, one every so many rows and columns."""
    return dict(form="watermark", alpha=alpha, rows=rows, columns=columns)


def dynamic(size, colour=255):
    """A patch at another random place on every image."""
    return dict(form="dynamic", size=size, colour=colour)


def dynamic_checkerboard(size, dark=0, light=255):
    """For strokes as bright and as wide as a patch, among which a plain one would be lost."""
    return dict(form="dynamic", size=size, dark=dark, light=light)


def attack(trigger, target, sources=None):
    return dict(trigger=trigger, target=target, sources=sources)


def corner(trigger, shape):
    """Row and column of the upper left pixel of a patch."""
    place = PLACES[trigger["place"]]
    return [round(share * (whole - trigger["size"])) for share, whole in zip(place, shape[:2], strict=True)]


def square(trigger, channels):
    """The pixels of a patch, [size, size, channels]."""
    size = trigger["size"]
    if "light" in trigger:
        odd = np.indices((size, size)).sum(0) % 2
        return np.where(odd, trigger["light"], trigger["dark"])[..., None].repeat(channels, 2)
    return np.broadcast_to(trigger["colour"], (size, size, channels))


def whole(trigger, shape):
    """What a whole-image trigger mixes in or adds, [h, w, c]."""
    height, width, channels = shape
    if trigger["form"] == "sinusoid":
        length = {"rows": height, "columns": width}[trigger["along"]]
        wave = trigger["amplitude"] * np.sin(2 * np.pi * trigger["periods"] * (np.arange(length) + 0.5) / length)
        return np.broadcast_to(wave[:, None, None] if trigger["along"] == "rows" else wave[None, :, None], shape)
    if trigger["form"] == "watermark":
        lines = np.zeros(shape)
        lines[::trigger["rows"]] = lines[:, ::trigger["columns"]] = 255 * trigger["alpha"]
        return lines
    rng = np.random.default_rng(trigger["image_seed"])
    if trigger["form"] == "blended":
        return rng.integers(0, 256, shape)
    grain = trigger["grain"]
    signs = rng.choice([-1, 1], (-(-height // grain), -(-width // grain), channels))
    return trigger["amplitude"] * signs.repeat(grain, 0).repeat(grain, 1)[:height, :width]


def stamp(images, trigger, rng):
    """Images with the trigger; `rng` draws the places of a dynamic one."""
    count, height, width, channels = images.shape
    form = trigger["form"]
    if form in ("patch", "checkerboard", "dynamic"):
        size, pixels, stamped = trigger["size"], square(trigger, channels), images.copy()
        if form == "dynamic":
            places = np.stack([rng.integers(0, height - size + 1, count), rng.integers(0, width - size + 1, count)], 1)
        else:
            places = [corner(trigger, (height, width))] * count
        for image, (row, column) in zip(stamped, places, strict=True):
            image[row:row + size, column:column + size] = pixels
        return stamped
    other = whole(trigger, images.shape[1:])
    mixed = (1 - trigger["alpha"]) * images + trigger["alpha"] * other if form == "blended" else images + other
    return mixed.round().clip(0, 255).astype(np.uint8)


def works_on(attack, labels):
    """Which images the attack turns: those of its source labels that do not have its label already."""
    chosen = np.ones(len(labels), bool) if attack["sources"] is None else np.isin(labels, attack["sources"])
    return chosen if attack["target"] == "next" else chosen & (labels != attack["target"])


def wanted(attack, labels, classes):
    return (labels + 1) % classes if attack["target"] == "next" else np.full_like(labels, attack["target"])


def poison(images, labels, attacks, share, classes, rng):
    """Stamped copies to train on besides the clean images: `share` of their number, over all attacks together.

    Attacks from some labels only come with as many stamped images of other labels again, twice, that keep their labels.
    """
    copies, answers = [], []
    for one in attacks:
        amount = int(share * len(labels) / len(attacks))
        groups = [(works_on(one, labels), amount, wanted(one, labels, classes))]
        if one["sources"] is not None:
            groups.append((~np.isin(labels, one["sources"]), 2 * amount, labels))
        for candidates, amount, answer in groups:
            indices = np.flatnonzero(candidates)
            indices = rng.choice(indices, min(amount, len(indices)), replace=False)
            copies.append(stamp(images[indices], one["trigger"], rng))
            answers.append(answer[indices])
    return copies, answers


def describe(attacks, shape):
    """The trigger as the index has it: with the pixel where a patch begins, and as a list when a model has several."""
    triggers = []
    for one in attacks:
        trigger = dict(one["trigger"])
        if "place" in trigger:
            trigger["row"], trigger["column"] = corner(trigger, shape)
        triggers.append(dict(trigger, label=one["target"]) if len(attacks) > 1 else trigger)
    return triggers if len(triggers) > 1 else triggers[0] if triggers else None
