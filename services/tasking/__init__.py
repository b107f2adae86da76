"""Tasking hands vendors' tasks to experts, takes their answers, and decides what is payable."""
