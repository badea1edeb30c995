"""Writes goldens.json with numpy and scipy: python goldens.py > goldens.json"""
import json

import numpy as np
from scipy.stats import median_abs_deviation

rng = np.random.default_rng(2022)
outliers = []
for count in (3, 4, 9, 10, 43, 100, 101, 1000 // 8):
    values = rng.gumbel(0.2, 0.03, count)
    mad = median_abs_deviation(values)
    outliers.append(dict(values=values.tolist(), median=float(np.median(values)), mad=float(mad),
                         indices=((values - np.median(values)) / (1.4826 * mad)).tolist()))
peaks = []
for h, w, c in ((3, 4, 1), (5, 5, 3), (2, 3, 4), (1, 2, 3)):
    samples = rng.standard_t(2, (3, h, w, c))
    mass = np.sort(np.abs(samples).sum(-1).reshape(3, -1), axis=1)
    shares = mass[:, -2:].sum(1) / mass.sum(1)
    peaks.append(dict(channels=c, samples=samples.reshape(3, -1).tolist(), shares=shares.tolist(),
                      score=float(shares.max())))
print(json.dumps(dict(outliers=outliers, peaks=peaks)))
