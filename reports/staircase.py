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
# # The staircase
#
# Every stage is searched for **N**, the connections that it holds, and **C**, those that it takes at the same moment,
# under one SLO. A limit lies between the last trial that passed and the first that failed; an arrow says that the
# server may be better than could be tried. **ART**, the average response time, is measured at the same loads for all.
# The talk's figures are from its author's machine of 2012, and each is at its own N and C.

# %%
from pathlib import Path

from harness.records.campaign import Staircase
from harness.show.campaign import staircase_sheets
from harness.show.charts.fanout import chart_fanout
from harness.show.charts.peers import chart_memory
from harness.show.charts.percentiles import chart_percentiles
from harness.show.charts.staircase import chart_staircase
from harness.show.report.notebook import at, loads, read, read_trials, say, show

RESULTS = Path("results")
MAKE = "make lab-staircase"
staircase = read(RESULTS / "staircase" / "staircase.json", Staircase, MAKE)
if staircase is not None:
    show(chart_staircase(staircase))

# %% [markdown]
# ## The figures
#
# Of each limit: which part of the SLO broke at the first fail, and what the server had used up there. Of each load:
# means over the repeats, with the smallest and the largest of them.

# %%
if staircase is not None:
    for sheet in staircase_sheets(staircase):
        say(sheet.markdown())

# %% [markdown]
# ## The slowest fans
#
# An average hides those who waited longest. Time runs from the moment at which a fan was *to be* started, so that no
# stall is left out. Repeats are merged, and the ribbon reaches from the fastest to the slowest of them.

# %%
trials = read_trials(RESULTS / "staircase", MAKE)
for load in loads(trials):
    show(chart_percentiles(at(load, trials)))

# %% [markdown]
# ## One event to all
#
# From the reporter's post to the receipt of each fan.

# %%
for load in loads(trials):
    show(chart_fanout(at(load, trials)))

# %% [markdown]
# ## What a connection takes

# %%
if trials:
    show(chart_memory(trials))
