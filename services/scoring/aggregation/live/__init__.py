"""What states are made of that take answers as they come, beside the batch of the same model.

A state, of a kind in `kinds/NAME/live.py`, has `take`, one step of answers; `fit`, which scores all anew and leaves it
exactly where the batch is, and which `take` does by itself when answers have grown by a tenth (`Configuration.growth`);
and `packed` and `of`, by which it is kept as bytes. What a task holds in the sums of a model gives way when an answer
to it comes (incremental EM, Neal and Hinton 1998); no step looks at tasks that it does not touch.

The service keeps the state of choices in its database (`usecases/pools.py`); it has no task type of other kinds yet.
"""
