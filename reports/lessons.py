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
# Each lesson is left out of the stage that introduces it, and of the last one, in the scenarios that exercise it, and
# added alone to the baseline where that bears the load. A ratio is the changed server's figure over the unchanged
# one's, with a 95 % t interval: a lesson **helps** if the server is worse without it, or better with it. All ratios of
# a figure are judged together (Benjamini and Hochberg), for of twenty lessons that do nothing one would seem to do
# something: so an interval may exclude 1, and no change be seen. A **placebo** is the same server under another name:
# what its ratio shows is chance.

# %%
from pathlib import Path

from harness.records.campaign import Ablation, Staircase
from harness.show.campaign import ablation_sheets
from harness.show.charts.ablation import chart_ablation, measured_figures
from harness.show.report.notebook import read, say, show

RESULTS = Path("results")
ablation = read(RESULTS / "ablation" / "ablation.json", Ablation, "make lab-ablation")
last = read(RESULTS / "ablation-4" / "ablation.json", Ablation, "make lab-ablation-4")
staircase = read(RESULTS / "staircase" / "staircase.json", Staircase, "make lab-staircase")
figures = () if ablation is None else measured_figures(ablation)

# %% [markdown]
# ## Average response time
#
# On the left, the way from stage to stage: what all lessons of a stage did together.

# %%
if ablation is not None and "art" in figures:
    show(chart_ablation(ablation, staircase, "art"))

# %% [markdown]
# ## An event to a fan
#
# Charts of the other figures would make this page three times as large: `harness draw` draws them of
# `results/ablation/ablation.json`. The tables below have them all.

# %%
if ablation is not None and "fanout" in figures:
    show(chart_ablation(ablation, staircase, "fanout"))

# %% [markdown]
# ## The figures
#
# A lesson that stands on another cannot be left out, or added, without it: then the server refuses, and says why.

# %%
if ablation is not None:
    for sheet in ablation_sheets(ablation):
        say(sheet.markdown())

# %% [markdown]
# ## Stage 4
#
# Its lessons were left out of it in a campaign of their own, whose charts `harness draw` draws of
# `results/ablation-4/ablation.json`.

# %%
if last is not None:
    for sheet in ablation_sheets(last):
        say(sheet.markdown())
