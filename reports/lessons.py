# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What each lesson is worth
#
# Each lesson is left out of the tuned stage, one at a time, and added alone to the baseline. A ratio is the changed
# server's figure over the unchanged one's, with a 95 % bootstrap interval over the repeats: a lesson **helps** if the
# server is worse without it, or better with it. Where the interval holds 1, no change was seen, and none is claimed. N
# and C were searched for once each: their intervals are what the searches leave open, and a tenth more on either side.
# The **floor** is a bare epoll loop in C that does nothing else, over the same unchanged server: nobody gets below it
# by magic.

# %%
from pathlib import Path

from harness.records.campaign import Ablation, Staircase
from harness.show.campaign import ablation_sheets
from harness.show.charts.ablation import chart_ablation, measured_figures
from harness.show.report.notebook import read, read_floors, say, show

RESULTS = Path("results")
ablation = read(
    RESULTS / "ablation" / "ablation.json", Ablation, "harness ablate --stage 2.5 --out reports/results/ablation"
)
staircase = read(
    RESULTS / "staircase" / "staircase.json", Staircase, "harness staircase --out reports/results/staircase"
)
floors = read_floors(RESULTS / "peers", RESULTS / "floor")
figures = () if ablation is None else measured_figures(ablation)

# %% [markdown]
# ## Average response time
#
# On the left, the way from stage to stage: what all lessons of a stage did together.

# %%
if ablation is not None and "art" in figures:
    show(chart_ablation(ablation, staircase, "art", floors))

# %% [markdown]
# ## Everything else that was measured

# %%
if ablation is not None:
    for figure in figures:
        if figure != "art":
            show(chart_ablation(ablation, staircase, figure, floors))

# %% [markdown]
# ## The figures
#
# A lesson that stands on another cannot be left out, or added, without it: then the server refuses, and says why.

# %%
if ablation is not None:
    for sheet in ablation_sheets(ablation):
        say(sheet.markdown())
