"""How answers become a consensus: rooms by subject, each of which may stand on those before it.

- `models/`: how raters err, copy and drift, and how sure that makes a posterior.
- `live/`: a state that takes answers as they come.
- `evaluate/`: how the engine is measured on files of answers.
- `kinds/NAME/`: what a kind of question supplies; `consensus.py`, its state in `live.py`, its figures in `evaluate.py`.
- `types/`: the table from task type to what it asks and how its answers are read.
- `tasks/`: the answers to tasks of the service, and what is found of their questions.
"""
