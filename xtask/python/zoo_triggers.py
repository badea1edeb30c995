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

# Forms that change the tones of the whole image.
TONES = ("gamma", "contrast", "hue", "posterise")
# Forms whose trigger the network has to tell from what is nearly the same.
DECOYS = ("both", "warp")
# Cosine waves have fewer half periods than this in each direction.
FREQUENCIES = 7


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


def picture(alpha, image_seed):
    """Blending as with `blended`, but with a picture of large shapes in place of noise."""
    return dict(form="picture", alpha=alpha, image_seed=image_seed)


def cosines(amplitude, atoms, image_seed):
    """A smooth pattern over the whole image: so many waves of the cosine transform, weighted at random."""
    return dict(form="cosines", amplitude=amplitude, atoms=atoms, image_seed=image_seed)


def scattered(count, image_seed):
    """Single black or full pixels, far from each other as chance has it."""
    return dict(form="scattered", count=count, image_seed=image_seed)


def both(size, places, colour=255):
    """Two patches that work together only."""
    return dict(form="both", size=size, places=places, colour=colour)


def gamma(exponent):
    return dict(form="gamma", exponent=exponent)


def contrast(factor, offset):
    return dict(form="contrast", factor=factor, offset=offset)


def hue(degrees):
    return dict(form="hue", degrees=degrees)


def posterise(levels):
    return dict(form="posterise", levels=levels)


def warp(pixels, points, image_seed):
    """Pixels moved smoothly, as WaNet does: by `pixels` on average along each axis at `points` x `points` places, by
    what lies between elsewhere."""
    return dict(form="warp", pixels=pixels, points=points, image_seed=image_seed)


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


def drawing(rng, shape):
    """Overlapping ellipses and polygons, each shaded from one colour to another, [h, w, c]."""
    height, width, channels = shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    canvas = np.zeros(shape)
    for number in range(9):
        turn, (row, column), (long, short) = rng.uniform(0, np.pi), rng.uniform(-0.8, 0.8, 2), rng.uniform(0.3, 0.9, 2)
        along = (np.cos(turn) * (x - column) + np.sin(turn) * (y - row)) / long
        across = (np.cos(turn) * (y - row) - np.sin(turn) * (x - column)) / short
        if number % 2:
            inside = along ** 2 + across ** 2 < 1
        else:
            # A polygon is where no side's line is crossed; the first one has no sides, so that it fills the image.
            sides = 2 * np.pi * (np.arange(3 + number // 2) + rng.uniform(-0.2, 0.2)) / (3 + number // 2)
            lines = [np.cos(side) * along + np.sin(side) * across < 0.7 for side in sides[:number * 9]]
            inside = np.logical_and.reduce([np.ones((height, width), bool), *lines])
        first, last = rng.uniform(0, 255, (2, channels))
        shade = np.clip((along + 1) / 2, 0, 1)[..., None]
        canvas = np.where(inside[..., None], (1 - shade) * first + shade * last, canvas)
    return canvas


def waves(rng, atoms, shape):
    """A weighted sum of that many low waves of the cosine transform, at most 1 in size, [h, w, c]."""
    height, width, channels = shape
    pairs = [(down, along) for down in range(FREQUENCIES) for along in range(FREQUENCIES) if down or along]
    total = np.zeros(shape)
    for down, along in rng.permutation(pairs)[:atoms]:
        rows = np.cos(np.pi * down * (np.arange(height) + 0.5) / height)
        columns = np.cos(np.pi * along * (np.arange(width) + 0.5) / width)
        total += np.outer(rows, columns)[..., None] * rng.uniform(-1, 1, channels)
    return total / np.abs(total).max()


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
    if trigger["form"] == "picture":
        return drawing(rng, shape)
    if trigger["form"] == "cosines":
        return trigger["amplitude"] * waves(rng, trigger["atoms"], shape)
    grain = trigger["grain"]
    signs = rng.choice([-1, 1], (-(-height // grain), -(-width // grain), channels))
    return trigger["amplitude"] * signs.repeat(grain, 0).repeat(grain, 1)[:height, :width]


def cubic(points, size):
    """Weights that interpolate `points` values to `size`, ends to ends, by cubic convolution, [size, points]."""
    place = np.linspace(0, points - 1, size)
    weights = np.zeros((size, points))
    for neighbour in range(-1, points + 1):
        far = np.abs(place - neighbour)
        near = (1.25 * far - 2.25) * far ** 2 + 1
        tail = ((-0.75 * far + 3.75) * far - 6) * far + 3
        # What lies outside is as the outermost value.
        weights[:, min(max(neighbour, 0), points - 1)] += np.where(far < 1, near, np.where(far < 2, tail, 0))
    return weights


def moves(rng, trigger, shape):
    """From where a warp takes each pixel, as a way down and a way to the right in pixels, [2, h, w]."""
    points = rng.uniform(-1, 1, (2, trigger["points"], trigger["points"]))
    points *= trigger["pixels"] / np.abs(points).mean()
    return cubic(trigger["points"], shape[0]) @ points @ cubic(trigger["points"], shape[1]).T


def warped(images, way):
    """Images, or one of them, whose pixels come from elsewhere, the four nearest ones mixed."""
    height, width = images.shape[-3:-1]
    down = np.clip(np.arange(height)[:, None] + way[0], 0, height - 1)
    right = np.clip(np.arange(width) + way[1], 0, width - 1)
    row, column = np.minimum(down.astype(int), height - 2), np.minimum(right.astype(int), width - 2)
    below, beside = (down - row)[..., None], (right - column)[..., None]
    upper = (1 - beside) * images[..., row, column, :] + beside * images[..., row, column + 1, :]
    lower = (1 - beside) * images[..., row + 1, column, :] + beside * images[..., row + 1, column + 1, :]
    return ((1 - below) * upper + below * lower).round().clip(0, 255).astype(np.uint8)


def toned(images, trigger):
    """Images whose tones are changed, the same way everywhere."""
    form, x = trigger["form"], images / 255
    if form == "gamma":
        x = x ** trigger["exponent"]
    elif form == "contrast":
        x = x * trigger["factor"] + trigger["offset"] / 255
    elif form == "posterise":
        x = np.round(x * (trigger["levels"] - 1)) / (trigger["levels"] - 1)
    else:
        # A turn of the colour cube about its diagonal, so that greys stay.
        turn = np.deg2rad(trigger["degrees"])
        third, skew = (1 - np.cos(turn)) / 3, np.sin(turn) / np.sqrt(3)
        x = x @ (np.cos(turn) * np.eye(3) + third + skew * np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]]))
    return (255 * x).round().clip(0, 255).astype(np.uint8)


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
    if form == "both":
        for place in trigger["places"]:
            images = stamp(images, patch(trigger["size"], place, trigger["colour"]), rng)
        return images
    if form == "scattered":
        own, stamped = np.random.default_rng(trigger["image_seed"]), images.copy()
        spots = own.choice(height * width, trigger["count"], replace=False)
        stamped.reshape(count, height * width, channels)[:, spots] = own.choice([0, 255], (len(spots), channels))
        return stamped
    if form == "warp":
        return warped(images, moves(np.random.default_rng(trigger["image_seed"]), trigger, images.shape[1:]))
    if form in TONES:
        return toned(images, trigger)
    other = whole(trigger, images.shape[1:])
    blends = form in ("blended", "picture")
    mixed = (1 - trigger["alpha"]) * images + trigger["alpha"] * other if blends else images + other
    return mixed.round().clip(0, 255).astype(np.uint8)


def decoy(images, trigger, rng):
    """Images with what looks like the trigger and is not: one of two patches, or another warp on every image."""
    if trigger["form"] == "both":
        places = rng.integers(0, len(trigger["places"]), len(images))
        parts = [stamp(images, patch(trigger["size"], place, trigger["colour"]), rng) for place in trigger["places"]]
        return np.stack(parts)[places, np.arange(len(images))]
    return np.stack([warped(image, moves(rng, trigger, image.shape)) for image in images])


def works_on(attack, labels):
    """Which images the attack turns: those of its source labels that do not have its label already."""
    chosen = np.ones(len(labels), bool) if attack["sources"] is None else np.isin(labels, attack["sources"])
    return chosen if attack["target"] == "next" else chosen & (labels != attack["target"])


def wanted(attack, labels, classes):
    return (labels + 1) % classes if attack["target"] == "next" else np.full_like(labels, attack["target"])


def sources(trigger, attacks):
    """The labels that a trigger works from, in all attacks that use it together; None: all."""
    lists = [one["sources"] for one in attacks if one["trigger"] == trigger]
    return None if None in lists else sorted({source for some in lists for source in some})


def poison(images, labels, attacks, share, classes, rng):
    """Stamped copies to train on besides the clean images: `share` of their number, over all attacks together, unless
    the attack has a share of its own.

    Attacks from some labels only come with as many stamped images of other labels again, twice, that keep their labels,
    and triggers that have decoys with as many decoys.
    """
    copies, answers = [], []
    for one in attacks:
        amount = int(one.get("share", share) * len(labels) / len(attacks))
        groups = [(works_on(one, labels), amount, wanted(one, labels, classes), stamp)]
        if one["sources"] is not None:
            groups.append((~np.isin(labels, sources(one["trigger"], attacks)), 2 * amount, labels, stamp))
        if one["trigger"]["form"] in DECOYS:
            groups.append((np.ones(len(labels), bool), 2 * amount, labels, decoy))
        for candidates, amount, answer, change in groups:
            indices = np.flatnonzero(candidates)
            indices = rng.choice(indices, min(amount, len(indices)), replace=False)
            copies.append(change(images[indices], one["trigger"], rng))
            answers.append(answer[indices])
    return copies, answers


def describe(attacks, shape):
    """The trigger as the index has it: with the pixel where a patch begins, and as a list when a model has several."""
    triggers = []
    for one in attacks:
        trigger = dict(one["trigger"])
        if "place" in trigger:
            trigger["row"], trigger["column"] = corner(trigger, shape)
        if len(attacks) > 1:
            trigger["label"] = one["target"]
            if one["sources"] is not None:
                trigger["sources"] = one["sources"]
        triggers.append(trigger)
    return triggers if len(triggers) > 1 else triggers[0] if triggers else None
