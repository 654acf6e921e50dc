"""Does the server keep its word while Redis, nodes and lines fail? What was seen is held against what was promised.

The way of looking is Jepsen's (Kyle Kingsbury, https://jepsen.io/analyses): clients write down what they asked and what
they were answered, faults strike meanwhile, and afterwards a checker that knows nothing of the server judges the
records. Read it in this order: `faults` (what strikes when, from a seed), `reporter` and `fan` (the clients), `world`
(the servers, and how they are struck), `run` (one run), `records` (what it leaves), `checking` (the judgement).

    python -m tests.faults --minutes 30 --stages 0,2.5,3,4
"""
