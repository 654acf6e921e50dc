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
# # Against the others
#
# The servers that one would choose instead, under the same waves and the same events as the stages; and the floor, a
# bare epoll loop in C that does nothing else. Nobody is faster than the floor by magic.

# %%
from pathlib import Path

from harness.show.charts.fanout import chart_fanout
from harness.show.charts.peers import chart_memory, chart_peers
from harness.show.charts.percentiles import chart_percentiles
from harness.show.page_tables import trials_table
from harness.show.report.notebook import at, loads, read_trials, say, show

RESULTS = Path("results")
trials = read_trials(RESULTS / "peers", "make lab-peers")
for load in loads(trials):
    show(chart_peers(trials, load))

# %% [markdown]
# ## One event to all

# %%
for load in loads(trials):
    show(chart_fanout(at(load, trials)))

# %% [markdown]
# ## The slowest fans

# %%
for load in loads(trials):
    show(chart_percentiles(at(load, trials)))

# %% [markdown]
# ## What a connection takes

# %%
if trials:
    show(chart_memory(trials))

# %% [markdown]
# ## All trials

# %%
if trials:
    say(trials_table(trials))
