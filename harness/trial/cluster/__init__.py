"""Generators on many machines: Dask knows them and carries what is said, the fans are played as on one.

A trial whose fans are too many for one machine is dealt to the workers of a Dask cluster, each of which is a host here:
it plays every H-th fan with generator processes of its own (`harness.load.controller`), by one schedule that begins
everywhere at one moment. What the fans saw is merged as that of several processes is. How far the clocks are apart is
measured before and after (`clocks`), and told with whatever it makes uncertain.

Which machines there are, how workers get there and who may speak to them is Dask's business (https://docs.dask.org,
*Deploy*): SSH, Kubernetes, SLURM.
"""
