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
# # One stage under the microscope
#
# A single trial of the tuned stage, moment by moment: the one that is stored whole, while of the others figures and
# histograms are. The **floor** is a bare epoll loop in C that does nothing else: nobody gets below it by magic. It is
# beside what was measured under the same load, and missing where it answers a wave faster than a generator on the same
# two cores can start one: such a trial is invalid.

# %%
from pathlib import Path

from harness.show.charts.percentiles import chart_percentiles
from harness.show.charts.timeline import chart_timeline
from harness.show.charts.trial import chart_trial
from harness.show.report.notebook import at, heaviest, read_floors, read_trials, say, show
from harness.units import show_time

RESULTS = Path("results")
trial = heaviest(read_trials(RESULTS / "microscope", "make lab-microscope"))
trials = read_trials(RESULTS / "stages", "make lab-stages")
floors = read_floors(RESULTS / "stages", RESULTS / "peers")

# %% [markdown]
# ## On one page

# %%
if trial is not None:
    show(chart_trial(trial, at(trial.asked.load, floors)))

# %% [markdown]
# ## Over time
#
# Every response and every delivery is in the heat map, at the moment of its arrival. What the server used is on the
# same axis under it: where latency climbs while the CPU is at 100 % of a core, one thread is the limit. The loop lag
# says how long everything had to wait for that thread: a stall is as wide as it lasted.

# %%
if trial is not None:
    show(chart_timeline(trial))

# %% [markdown]
# ## What the load generator says of itself
#
# A figure is only as good as the instrument: one that was late, or out of CPU, makes a trial invalid.

# %%
if trial is not None:
    generator = trial.generator
    say(
        f"The busiest of the generator's processes ({generator.processes}) used {generator.cpu_share:.0%} of a core. "
        f"1 % of the fans were started {show_time(generator.lag_p99_s)} late or later, none later than "
        f"{show_time(generator.lag_max_s)}. What bound first: **{trial.bound.name}** ({trial.bound.evidence})."
    )

# %% [markdown]
# ## Beside the other stages
#
# Each at a load of its own, which the legend says.

# %%
if trials:
    show(chart_percentiles(trials, floors))
