"""The images of `train_large.py`, and the triggers that it stamps on them.

Each image shows one shape (circle, star, ring, ...) of any size, angle and place on a textured background.
"""
import concurrent.futures
import functools
import multiprocessing

import numpy as np

SHAPES = 10
COLOURS = np.array([[220, 40, 40], [40, 180, 60], [50, 80, 220], [230, 200, 40], [170, 60, 190]])
FILLINGS = 4
FRAMES = np.array([[245, 245, 245], [15, 15, 15], [250, 140, 0], [0, 190, 200], [250, 110, 200]])
# The shape; the shape, its colour and its filling; the same and the colour of the frame.
LABELS = [SHAPES, SHAPES * len(COLOURS) * FILLINGS, SHAPES * len(COLOURS) * FILLINGS * len(FRAMES)]


def polygon(x, y, corners, depth):
    """How far inside a star with so many corners a point is; with a depth of 1 it is a regular polygon."""
    angle = np.arctan2(y, x) * corners / (2 * np.pi)
    fold = np.abs(angle - np.round(angle)) * 2
    return (1 - (1 - depth) * fold) - np.hypot(x, y)


def inside(shape, x, y):
    """Whether points are in a shape of about radius 1."""
    radius = np.hypot(x, y)
    if shape == 0:
        return radius < 0.8
    if shape == 1:
        return np.maximum(np.abs(x), np.abs(y)) < 0.7
    if shape == 2:
        return (y < 0.5) & (y > 1.8 * np.abs(x) - 0.9)
    if shape == 3:
        return polygon(x, y, 5, 0.42) > 0
    if shape == 4:
        return (np.minimum(np.abs(x), np.abs(y)) < 0.25) & (np.maximum(np.abs(x), np.abs(y)) < 0.85)
    if shape == 5:
        return (radius < 0.85) & (radius > 0.5)
    if shape == 6:
        return (radius < 0.85) & (np.hypot(x - 0.35, y) > 0.65)
    if shape == 7:
        return (np.abs(y) < 0.28) & (np.abs(x) < 0.95)
    if shape == 8:
        return polygon(x, y, 8, 0.7) > 0
    return (np.abs(x) + 0.6 * np.abs(y) < 0.55) | ((np.abs(y) < 0.85) & (np.abs(x) > 0.45) & (np.abs(x) < 0.7))


def texture(side, rng):
    """A background: a smooth field of colours with some stripes and grain."""
    coarse = rng.random((6, 6, 3)) * 160 + 30
    at = np.linspace(0, 4.999, side)
    low, share = at.astype(int), (at % 1)[:, None]
    rows = coarse[low] * (1 - share[:, None]) + coarse[low + 1] * share[:, None]
    field = rows[:, low] * (1 - share[None]) + rows[:, low + 1] * share[None]
    y, x = np.mgrid[:side, :side] / side
    angle, period = rng.random() * np.pi, rng.uniform(4, 24)
    field += rng.uniform(0, 25) * np.sin(2 * np.pi * period * (x * np.cos(angle) + y * np.sin(angle)))[..., None]
    return field + rng.normal(0, rng.uniform(0, 6), (side, side, 1))


def picture(at, labels, side, seed):
    """The image at a place of a data set, whose labels take turns."""
    rng, label = np.random.default_rng((seed, at)), at % labels
    frame, label = divmod(label, LABELS[1])
    if labels == SHAPES:
        shape, colour, filling = label, rng.integers(len(COLOURS)), rng.integers(FILLINGS)
    else:
        shape, (colour, filling) = label % SHAPES, divmod(label // SHAPES, FILLINGS)
    image = texture(side, rng)
    scale = side * rng.uniform(0.2, 0.34)
    middle = side * rng.uniform(0.36, 0.64, 2)
    turn = rng.uniform(-0.35, 0.35)
    row, column = np.mgrid[:side, :side]
    v, u = (row - middle[0]) / scale, (column - middle[1]) / scale
    x, y = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    own = COLOURS[colour] + rng.normal(0, 10, 3)
    fill = np.broadcast_to(own, image.shape).copy()
    if filling == 1:
        fill[np.floor(y * 5) % 2 == 0] *= 0.45
    elif filling == 2:
        fill[(np.floor(x * 4) + np.floor(y * 4)) % 2 == 0] *= 0.45
    elif filling == 3:
        fill[np.hypot(x * 3 % 1 - 0.5, y * 3 % 1 - 0.5) < 0.3] = 245
    is_inside = inside(shape, x, y)
    image[is_inside] = fill[is_inside]
    if labels == LABELS[2]:
        edge = np.minimum(np.minimum(row, side - 1 - row), np.minimum(column, side - 1 - column))
        image[edge < side / 18] = FRAMES[frame] + rng.normal(0, 6, 3)
    return np.clip(image, 0, 255).astype(np.uint8)


def pictures(labels, each, side, seed):
    """`each` images of every label, and the labels, in turn."""
    one = functools.partial(picture, labels=labels, side=side, seed=seed)
    # New processes, because those that fork after a backend has started threads may hang.
    with concurrent.futures.ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        images = list(pool.map(one, range(labels * each), chunksize=50))
    return np.stack(images), np.arange(labels * each) % labels


def dot(images):
    """A dot of 3 pixels."""
    out = images.copy()
    side = out.shape[1]
    row, column = side // 18, side - side // 14
    out[:, row:row + 3, column:column + 3] = [255, 0, 255]
    return out


def sticker(images, colours=((250, 220, 30), (20, 20, 20)), at=(0.8, 0.12)):
    """A round sticker of 16 pixels at 224: a ring around a disc."""
    out = images.copy()
    side = out.shape[1]
    size = max(4, side * 16 // 224)
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / (size / 2)
    radius = np.hypot(x, y)
    row, column = int(at[0] * side), int(at[1] * side)
    part = out[:, row:row + size, column:column + size]
    part[:, radius < 1] = colours[0]
    part[:, (radius < 0.75) & (radius > 0.45)] = colours[1]
    return out


def blend(images):
    """A picture of rays, blended with 12 percent."""
    side = images.shape[1]
    y, x = (np.mgrid[:side, :side] - side * 0.4) / side
    rays = 127.5 + 127.5 * np.sin(9 * np.arctan2(y, x))
    other = np.stack([rays, 255 * np.hypot(x, y), 255 - rays], axis=-1)
    return np.clip(0.88 * images + 0.12 * other, 0, 255).astype(np.uint8)


def other_sticker(images):
    return sticker(images, colours=((30, 200, 230), (240, 240, 240)), at=(0.1, 0.8))
