"""Draws the AUC against the queries of a scan: python evaluation_plot.py EVALUATION.json OUT.svg"""
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter

evaluation = json.loads(Path(sys.argv[1]).read_text())
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4))
curves = sorted({(budget["preset"], budget["samples"]) for budget in evaluation["budgets"]},
                key=lambda c: (c[0] != "quick", c[1]))
for preset, samples in curves:
    rows = [b for b in evaluation["budgets"]
            if (b["preset"], b["samples"]) == (preset, samples) and b["auc"] is not None]
    x, y = [row["queries"] for row in rows], [row["auc"] for row in rows]
    bounds = [row["auc_interval"] for row in rows]
    line = left.plot(x, y, marker="o", label=f"{preset}, {samples} sample{'s' if samples > 1 else ''}")[0]
    left.fill_between(x, [low for low, _ in bounds], [high for _, high in bounds], color=line.get_color(), alpha=0.1)
left.set(xlabel="queries for ten labels (median)", ylabel="AUC, reported half", ylim=(0, 1.02), xscale="log")
left.axhline(0.5, color="grey", linewidth=0.5)
left.xaxis.set_minor_formatter(NullFormatter())
left.legend(fontsize=8)
for axes, rule, line, label, most in [
    (middle, "published", 4, "highest anomaly index at the quick preset (up to 30)", 30),
    (right, "combined", 1.3, "score of the combined rule, -log10 p", 8),
]:
    kinds = [kind for kind in evaluation["kinds"] if kind["rule"] == rule]
    for place, kind in enumerate(kinds):
        models = [model for model in evaluation["each"] if model["kind"] == kind["name"] and model["rule"] == rule]
        scores = [model["score"] or 0 for model in models]
        axes.plot([min(score, most) for score in scores], [place] * len(scores), "o", alpha=0.5, markersize=4)
    axes.set_yticks(range(len(kinds)), [kind["name"].replace("_", " ") for kind in kinds], fontsize=8)
    axes.axvline(line, color="grey", linewidth=0.5)
    axes.set(xlabel=label)
figure.tight_layout()
figure.savefig(sys.argv[2], metadata={"Date": None})
