# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # On a cluster
#
# A run does not know where it is carried out: `produce` takes any Dask client. This notebook runs on two processes of this
# machine and prints what differs on AWS Fargate. It starts nothing that costs money: **the single line that changes** is
# `cluster = fargate`.

# %%
import simulated
import yaml

import sarcube
from sarcube.cluster import Profile, connect, find_profile, known_profiles

run_file = simulated.year()
cluster = Profile(name="two", kind="local", workers=2)

# %% [markdown]
# ## Profiles
#
# Where work runs is a small YAML file, found by name in `cluster/`. For Fargate it says which image, how many workers at most,
# what a worker gets, and a price, so that a plan can name what a run will cost:

# %%
fargate = find_profile("fargate")
print(yaml.safe_dump(fargate.model_dump(mode="json", exclude_defaults=True), sort_keys=False))
print("profiles here:", ", ".join(sorted(known_profiles())))

# %% [markdown]
# The price is that of one vCPU with 4 GB on Fargate (on demand, us-east-1: 0.04048 USD for the vCPU-hour, 0.004445 USD for
# each GB-hour); look up today's for your region.
#
# ## Made once, removed at the end
#
# What Fargate needs (roles, a closed security group, a log group, certificates, task definitions) is made once from the
# shell, all of it tagged with the profile's name. It costs nothing worth a line while no run goes on:
#
# ```sh
# sarcube cluster up fargate --bucket my-bucket
# ```
#
# ## What it would cost

# %%
plan = sarcube.plan(run_file, remake=True)  # the third notebook may have made it: make it again
hours = plan.totals.cpu_s / 3600
print(f"{len(plan.tasks)} tasks to do; about {plan.totals.cpu_s:.0f} s of one core")
print(
    f"here: nothing; on Fargate: {hours * fargate.usd_per_core_hour:.4f} USD, plus the minute that workers take to start"
)

# %% [markdown]
# For a continent the same sum, with the seconds per acquisition that your own runs measured:

# %%
acquisitions = 100_000
per_acquisition = 20.0  # seconds of one core; see the summary of your last run
total = acquisitions * per_acquisition / 3600
print(f"{acquisitions:,} acquisitions: {total:,.0f} core-hours, {total * fargate.usd_per_core_hour:,.0f} USD, "
      f"{total / fargate.maximum:.1f} hours with {fargate.maximum} workers")  # fmt: skip

# %% [markdown]
# ## The run
#
# The same call for every cluster. Leaving the block ends the cluster, also after an error or Ctrl-C: on Fargate its tasks are
# stopped and what was made for the run is removed, so nothing goes on costing.

# %%
with connect(cluster) as client:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    print(len(workers), "workers")
    outcome = sarcube.produce(plan, client)
outcome

# %% [markdown]
# ## After it
#
# A cluster that is lost in the middle of a run costs no product that was committed: run it again, and it goes on. When there
# is nothing more to run, the shell removes what carries the profile's tag, and tells whether anything is left:
#
# ```sh
# sarcube cluster down fargate
# sarcube cluster left fargate
# ```

# %%
again = sarcube.produce(sarcube.plan(run_file))
print(again.done, "to do;", again.skipped, "existed")
