"""What each kind of question supplies, in files of the same names.

`consensus.py` finds what the answers to a question agree on; `live.py` does it as answers come, by the same functions;
`evaluate.py` reads labels as files write them and measures the consensus. Levels are choices until one is told, so they
have no state of their own. A kind may stand on another: each label of a set, and each piece of a text that spans cut,
is a choice.
"""
